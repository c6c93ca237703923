"""Rows of a table beside the base row: figures, paired differences, the paper's figures, and verdicts on both."""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.ablate.figures import Figures, direction, verdict
from vpbench.ablate.published import PaperRow
from vpbench.ablate.table import AblationTable, Cell
from vpbench.ablate.workshop import Setting, Tuned, Workshop
from vpbench.stats import Difference

BASE_ROW = "base"

AblationRow = tuple[str, Figures, PaperRow | None]


def compared(
    shop: Workshop,
    name: str,
    title: str,
    rows: Sequence[AblationRow],
    notes: Sequence[str] = (),
    *,
    trained: bool = False,
) -> AblationTable:
    """Rows with their paired differences to the base row, the paper's figures, and the verdicts.

    Where each row was `trained`, a verdict says whether another seed changes as much.
    """
    base_figures = shop.figures()
    cells: list[tuple[Cell, ...]] = [_row((BASE_ROW, base_figures, None), [None] * 3)]
    differences = [figures.minus(base_figures) for _, figures, _ in rows]
    cells += [_row(row, row_differences) for row, row_differences in zip(rows, differences, strict=True)]
    changes = ("step macro-F1", *(f"Best-of-{n}" for n in shop.sizes.ns))
    columns = (
        "row",
        *figure_columns(shop),
        *(f"{change} minus base, points" for change in changes),
        "paper, Best-of-8, %",
        "paper, Best-of-8 minus base, points",
        "paper, step macro-F1 minus base, points",
        "paper, table",
    )
    lines = _verdicts(shop.sizes.ns[0], rows, differences, spread(shop) if trained else (0.0, 0.0))
    return AblationTable(name, title, columns, cells, lines, notes)


def _row(row: AblationRow, differences: Sequence[Difference | None]) -> tuple[Cell, ...]:
    name, figures, paper = row
    published: tuple[Cell, ...] = (None,) * 4
    if paper is not None:
        published = (paper.best, paper.best_change, paper.f1_change, paper.table)
    return (name, figures.macro_f1, figures.auc, *percent(figures), *differences, *published)


def _verdicts(
    n: int, rows: Sequence[AblationRow], differences: Sequence[Sequence[Difference | None]], noise: tuple[float, float]
) -> list[str]:
    best, f1, alone = [], [], []
    for (name, _, paper), (steps, first, *_) in zip(rows, differences, strict=True):
        assert first is not None
        if paper is None:
            alone.append(f"{name}: {direction(first, noise[0])}")
            continue
        best.append(f"{name} ({paper.best_change:+.1f}): {verdict(paper.best_change, first, noise[0])}")
        if paper.f1_change is not None and steps is not None:
            f1.append(f"{name} ({paper.f1_change:+.1f}): {verdict(paper.f1_change, steps, noise[1])}")
    lines = {
        f"The paper's direction here, Best-of-{n}": best,
        "The paper's direction here, step macro-F1": f1,
        f"Not in the paper, Best-of-{n} against the base row": alone,
    }
    return [f"{what}: {'; '.join(cases)}." for what, cases in lines.items() if cases]


def figure_columns(shop: Workshop) -> tuple[str, ...]:
    """The columns of one checkpoint's figures."""
    return ("step macro-F1, %", "step AUC", *(f"Best-of-{n}, %" for n in shop.sizes.ns))


def percent(figures: Figures) -> list[float]:
    """Accuracy of the best of each N, in percent."""
    return [100 * float(value) for value in figures.best.mean(axis=0)]


def seed_figures(shop: Workshop) -> list[Figures]:
    """The base row trained with each seed."""
    return [shop.figures(Setting(Tuned(seed=seed))) for seed in range(shop.sizes.seeds)]


def spread(shop: Workshop) -> tuple[float, float]:
    """Largest minus smallest figure over the seeds, as fractions of 1: best of the first N, step macro-F1."""
    best = [float(figures.best.mean(axis=0)[0]) for figures in seed_figures(shop)]
    f1 = [(figures.macro_f1 or 0.0) / 100 for figures in seed_figures(shop)]
    return max(best) - min(best), max(f1) - min(f1)
