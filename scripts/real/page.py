"""The page of a real critic's figures, whatever they are: what wins is said first, then the gates, then all tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from figures import METRICS, Figure

from vpbench.terminal import markdown_table

Figures = Mapping[str, Figure]

SHOWN = ("AUROC", "macro-F1", "first-error F1", "AUROC, same index")
"""The metrics of differences."""


@dataclass(frozen=True, slots=True)
class Training:
    """What a seed's training took: seconds by the clock (of a `resumed` one since it was), the largest memory in GiB,
    and what it learned from."""

    seed: int
    seconds: float
    resumed: bool
    memory: float
    steps: int
    solutions: int
    labels: Mapping[str, int]


def page(
    command: str,
    tokens: int,
    counts: Mapping[str, Mapping[str, int]],
    trainings: Sequence[Training],
    tested: str,
    critics: Mapping[str, Figures],
    controls: Mapping[str, Figures],
    versions: Mapping[str, str],
) -> str:
    """The Markdown page; `critics` and `controls` hold the figures by name, `tested` says in words on what."""
    everything = {**critics, **controls}
    fates = ("trained on", "exact", "near", "too long")
    sections = [
        "# A real critic on real step labels\n",
        f"Written by `{command}`, whatever came out. SmolLM2-135M-Instruct becomes `text-prm` by `vpbench train` on "
        f"public step labels, {tokens:,} tokens for each of {len(trainings)} seeds, and judges {tested}, none of whose "
        "questions it has trained on. [...] is the 95% interval of a bootstrap over questions, which covers questions "
        "and not seeds.\n",
        "## Against step length, first\n",
        _against("length", critics, controls["length"]),
        "## Gates\n",
        _gates(critics, controls),
        "## Figures\n",
        markdown_table([[name, *map(_with_ends, row.values())] for name, row in everything.items()], ["", *METRICS])
        + "\n",
        "## Differences\n",
        "Critic minus control, both on the same resamples.\n",
    ]
    for name, row in critics.items():
        cells = [
            [other, *(_difference(row[metric] - figures[metric]) for metric in SHOWN)]
            for other, figures in controls.items()
        ]
        sections += [markdown_table(cells, [f"{name} minus", *SHOWN]) + "\n"]
    sections += [
        "## Rows and training\n",
        markdown_table(
            [[name, *(row.get(fate, 0) for fate in fates)] for name, row in counts.items()], ["rows", *fates]
        ),
        "\n`exact` and `near` are removed: the question is one of ProcessBench's in letters and digits, or shares half "
        "of its 8-grams. Not every row is reached before the tokens are.\n",
        markdown_table(
            [
                (
                    run.seed,
                    f"{run.seconds / 60:.1f} min{' since it was resumed' * run.resumed}",
                    f"{run.memory:.1f} GiB",
                    run.steps,
                    run.solutions,
                )
                + tuple(run.labels.values())
                for run in trainings
            ],
            ["seed", "time, one thread", "peak memory", "steps", "solutions", *(f"labels {sign}" for sign in "+-")],
        ),
        "\n" + ", ".join(f"{name} {version}" for name, version in versions.items()) + "\n",
    ]
    return "\n".join(sections)


def _against(name: str, critics: Mapping[str, Figures], control: Figures) -> str:
    lines = [
        f"* {critic}: AUROC {row['AUROC'].value:.3f} against {control['AUROC'].value:.3f} of step {name}, "
        f"{_difference(row['AUROC'] - control['AUROC'])}; macro-F1 minus that of length "
        f"{_difference(row['macro-F1'] - control['macro-F1'])}."
        for critic, row in critics.items()
    ]
    return "\n".join(lines) + "\n"


def _gates(critics: Mapping[str, Figures], controls: Mapping[str, Figures]) -> str:
    rows = []
    for critic, row in critics.items():
        words = row["AUROC, same index"] - controls["bag of words"]["AUROC, same index"]
        place = row["AUROC"] - controls["position"]["AUROC"]
        for gate, low, bound in (
            ("AUROC", row["AUROC"].interval()[0], 0.55),
            ("AUROC at the same index, minus bag of words", words.interval()[0], 0.0),
            ("AUROC, minus position", place.interval()[0], 0.0),
        ):
            rows.append((critic, gate, f"{low:.3f}", f"> {bound:g}", "passed" if low > bound else "FAILED"))
    return markdown_table(rows, ["", "gate", "lower end", "has to be", ""]) + "\n"


def _with_ends(figure: Figure) -> str:
    low, high = figure.interval()
    return f"{figure.value:.3f} [{low:.3f}, {high:.3f}]"


def _difference(figure: Figure) -> str:
    low, high = figure.interval()
    return f"{figure.value:+.3f} [{low:+.3f}, {high:+.3f}]"
