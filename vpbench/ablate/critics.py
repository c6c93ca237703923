"""Experiments on the shipped candidates: how critics are trained and used. An experiment returns its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean, stdev

from vpbench.ablate import published
from vpbench.ablate.figures import verdict
from vpbench.ablate.labels import LabelSet, agreement
from vpbench.ablate.published import PaperRow
from vpbench.ablate.rows import BASE_ROW, AblationRow, compared, figure_columns, percent, seed_figures, spread
from vpbench.ablate.table import AblationTable, Cell, points
from vpbench.ablate.workshop import MAX_STEPS, POLICY, Setting, Tuned, Workshop
from vpbench.nano import finetune
from vpbench.scoring.splitting import split_steps
from vpbench.stats import paired_differences

THRESHOLDS = {"1/16": 1 / 16, "1/8": 1 / 8, "1/4": 1 / 4}
MERGED = (12, 6, None, 3, 2)


def base(shop: Workshop) -> list[AblationTable]:
    """The row that all others are compared with, and what it gains over a random pick."""
    figures = shop.figures()
    paper, n = published.RANDOM.best_change, shop.sizes.ns[0]
    gain = paired_differences(figures.best, figures.random, figures.clusters)[0]
    comparison = f"the paper's direction ({paper:+.1f}): {verdict(paper, gain)}"
    line = f"Best-of-{n} minus a random pick: {points(gain)}; {comparison}."
    note = (
        "Process reward model tuned on value labels (mc > 0 of 16 continuations, all steps; drawn at temperature 1), "
        f"mean of the step scores, the policy's candidates at temperature 0.7: {len(figures.best)} questions."
    )
    table = compared(shop, "base", "Base row (not the shipped `prm`)", [], notes=[note])
    return [replace(table, lines=[line])]


def aggregation(shop: Workshop) -> list[AblationTable]:
    """How step scores become one score."""
    rows: list[AblationRow] = [
        (how, shop.figures(Setting(aggregate=how)), published.AGGREGATIONS.get(how))
        for how in ("min", "max", "last", "product")
    ]
    return [compared(shop, "aggregation", "Aggregation of the step scores (base: mean)", rows)]


def label_sets() -> dict[str, tuple[LabelSet, PaperRow | None]]:
    """The label sets beside the base row's, by name."""
    sets: dict[str, tuple[LabelSet, PaperRow | None]] = {
        "advantage": (LabelSet(rule="advantage"), published.ADVANTAGE),
        "early stop": (LabelSet(early_stop=True), published.EARLY_STOP),
    }
    for name, value in THRESHOLDS.items():
        sets[f"mc > {name}"] = (LabelSet(threshold=value), published.THRESHOLDS[value])
    return {**sets, **{f"{count} continuations": (LabelSet(count), None) for count in (8, 32)}}


def labels(shop: Workshop) -> list[AblationTable]:
    """Value against advantage, early stop, thresholds, continuations: critics, labels and training."""
    sets = label_sets()
    rows = [(name, shop.figures(Setting(Tuned(label_set))), paper) for name, (label_set, paper) in sets.items()]
    note = "Neutral steps (advantage 0) are left out of the loss; the paper teaches a third label for them."
    title = "Labels (base: value, mc > 0, all steps, 16 continuations)"
    return [
        compared(shop, "labels", title, rows, notes=[note], trained=True),
        _quality(shop, {BASE_ROW: LabelSet(), **{name: label_set for name, (label_set, _) in sets.items()}}),
    ]


def _quality(shop: Workshop, sets: Mapping[str, LabelSet]) -> AblationTable:
    rows: list[tuple[Cell, ...]] = []
    for name, label_set in sets.items():
        files = shop.label_files(label_set)
        quality = agreement(files, label_set.rule, label_set.threshold, shop.label_questions)
        losses = shop.losses(Tuned(label_set))
        last = losses[-max(2, len(losses) // 4) :]
        shares = (quality.agreed, quality.false_correct, quality.false_incorrect, quality.neutral)
        varied = stdev(last) if len(last) > 1 else None
        rows.append((name, quality.steps, *(100 * share for share in shares), fmean(last), varied))
    best = max(rows, key=lambda row: row[2] if isinstance(row[2], float) else 0.0)
    columns = (
        "labels",
        "steps",
        "agree with the truth, %",
        "false +, %",
        "false -, %",
        "neutral, % of all",
        "loss, mean of the last quarter",
        "its standard deviation",
    )
    note = "Shares are of the steps labelled + or -. Losses of different labels have different lower bounds."
    line = f"Closest to the truth: {best[0]}, {best[2]:.1f}% of its labels."
    return AblationTable(
        "label_quality", "Labels against the truth, and the training on them", columns, rows, [line], [note]
    )


def seeds(shop: Workshop) -> list[AblationTable]:
    """The base row's last stage with other seeds, on the same labels: what the order of the batches changes."""
    rows: list[tuple[Cell, ...]] = []
    for seed, figures in enumerate(seed_figures(shop)):
        rows.append((f"seed {seed}", figures.macro_f1, figures.auc, *percent(figures)))
    numbers = [[cell for cell in column if isinstance(cell, float)] for column in list(zip(*rows, strict=True))[1:]]
    for name, figure in (("mean", fmean), ("smallest", min), ("largest", max), ("standard deviation", stdev)):
        rows.append((name, *(figure(column) for column in numbers)))
    best, f1 = spread(shop)
    line = (
        f"Between these Best-of-{shop.sizes.ns[0]} differs by up to {100 * best:.1f} points and step macro-F1 by up to "
        f"{100 * f1:.1f}: a row trained once that differs from the base row by no more may do so by that seed."
    )
    columns = ("training", *figure_columns(shop))
    title = f"{shop.sizes.seeds} seeds of the last stage, on the same labels (the base row is seed 0)"
    return [AblationTable("seeds", title, columns, rows, [line])]


def outcome_labels(shop: Workshop) -> list[AblationTable]:
    """Outcome against process labels from one base; the base without Monte-Carlo labels, and these without the base."""
    alone = Tuned(base=POLICY, learning_rate=4e-4, epochs=4)
    rows: list[AblationRow] = [
        ("outcome labels, the same base", shop.figures(Setting(Tuned(model="orm"))), published.OUTCOME_LABELS),
        ("no Monte-Carlo labels: the base as it is", shop.figures(Setting(Tuned(labels=None))), None),
        ("Monte-Carlo labels alone, from the policy", shop.figures(Setting(alone)), None),
    ]
    note = "The critics' base was pre-trained on reference labels of every step; the policy never saw a label."
    rates = (
        f"The last row trains for {alone.epochs} epochs at {alone.learning_rate:g}, the others as their recipes say at "
        f"{finetune.SIZES['learning_rate']:g}, a rate chosen to leave what is pre-trained undisturbed."
    )
    title = "Outcome labels, and what the pre-training brings"
    return [compared(shop, "outcome", title, rows, [note, rates], trained=True)]


def merging(shop: Workshop) -> list[AblationTable]:
    """Solutions merged to fewer steps before they are scored."""
    texts = [text for responses in shop.candidates().texts for text in set(responses)]
    lengths = [len(split_steps(text)) for text in texts]
    longest = max(lengths)
    rows: list[AblationRow] = []
    shares = []
    for max_steps in MERGED:
        limit = longest if max_steps is None else max_steps
        used = limit if longest > min(limit, MAX_STEPS) else MAX_STEPS
        name = "no merging" if max_steps is None else f"at most {limit} steps"
        rows.append((name, shop.figures(Setting(max_steps=used)), None))
        shares.append(f"{name} {100 * sum(length > limit for length in lengths) / len(lengths):.1f}%")
    notes = [
        f"Distinct solutions that are merged: {', '.join(shares)}; the longest has {longest} steps. Where they "
        "are merged as in the base row, the row is the base row's."
    ]
    return [compared(shop, "merging", "Merging of steps before scoring (base: at most 12)", rows, notes=notes)]
