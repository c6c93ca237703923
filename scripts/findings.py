"""Print the tables of docs/findings.md that no other command prints.

    python scripts/findings.py              in seconds; step labels come from the folder VPBENCH_SHARED
    python scripts/findings.py --write      puts them into the page; a test fails while page and script differ

Official verdicts and a careful reader's are counted from the tables of docs/grading.md, which `make grading-doc`
writes.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path

import numpy as np

from vpbench.report.agreement import ALL_SYSTEMS
from vpbench.stats import Difference, measure_step_controls, paired_differences
from vpbench.terminal import interval, markdown_table, p_value, percent, points

ROOT = Path(__file__).resolve().parent.parent
PAGE, GRADING = ROOT / "docs" / "findings.md", ROOT / "docs" / "grading.md"
SHARED = Path(os.environ.get("VPBENCH_SHARED", ROOT.parent / "shared"))
LABELS = SHARED / "steps" / "processbench.jsonl.gz"
QUESTIONS, CHANGED, GAIN = (304, 1000), (10, 20, 30), 0.02
"""MATH-Vision testmini and MathVista; percent of the questions on which two critics' picks differ; a gain."""
BENCHMARK = "mathvista"
START, END = "<!-- printed by scripts/findings.py: start -->", "<!-- printed by scripts/findings.py: end -->"


def controls() -> str:
    """What finds ProcessBench's first errors without reading the reasoning; steps after them carry no label."""
    if not LABELS.is_file():
        sys.exit(f"findings: no {LABELS}; VPBENCH_SHARED names the folder with the collected step labels")
    with gzip.open(LABELS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    labels = [[label or 0 for label in row["labels"]] for row in rows]
    table = []
    for control in measure_step_controls(labels, [row["steps"] for row in rows], [row["question"] for row in rows]):
        f1, area = percent(control.macro_f1), control.auroc
        if control.low is not None and control.high is not None:
            f1 += f" ({percent(control.low)} .. {percent(control.high)})"
        auroc = "" if area is None else f"{area.value:.3f} ({area.low:.3f} .. {area.high:.3f})"
        table.append([control.name, f1, auroc])
    return markdown_table(table, [f"ProcessBench, {len(rows):,} solutions", "step macro-F1, %", "AUROC"])


def verdicts() -> str:
    """By system: how many verdicts of robust grading and the benchmark differ, and what that does to the accuracy."""
    rows: dict[str, int] = {}
    header: list[str] = []
    table = []
    for line in GRADING.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| benchmark |"):
            header = cells
        elif line.startswith(f"| {BENCHMARK} |") and "kappa" in header:
            rows[cells[1]] = int(cells[5])
        elif line.startswith(f"| {BENCHMARK} |") and cells[1] != ALL_SYSTEMS:
            right = sum(int(cell) for cell, title in zip(cells, header, strict=True) if "officially right" in title)
            changed = int(cells[2])
            gain = difference(rows[cells[1]], 2 * right - changed, changed)
            table.append([cells[1], f"{rows[cells[1]]:,}", str(changed), shown(gain)])
    return markdown_table(
        table, ["system", "MathVista rows", "verdicts differ", "official accuracy minus the reader's"]
    )


def difference(questions: int, more: int, changed: int) -> Difference:
    """Of two critics whose picks differ on `changed` questions, one right on `more` questions more than the other."""
    gained = (changed + more) // 2
    values = np.zeros((questions, 1))
    values[:gained], values[gained:changed] = 1, -1
    return paired_differences(values.clip(min=0), -values.clip(max=0))[0]


def shown(gain: Difference) -> str:
    """In points, with interval and p."""
    return f"{points(gain.value)} ({interval(gain.low, gain.high)}), p {p_value(gain.p_value)}"


def two_points() -> str:
    """A gain of two points and the smallest gain that is told apart."""
    table = []
    for questions in QUESTIONS:
        for share in CHANGED:
            changed = round(share / 100 * questions)
            # a surplus has the parity of the number of changed questions
            surpluses = range(changed % 2, changed + 1, 2)
            nearest = min(surpluses, key=lambda more: abs(more / questions - GAIN))
            least = next(gain for more in surpluses if (gain := difference(questions, more, changed)).low > 0)
            table.append(
                [f"{questions:,}", f"{share}%", shown(difference(questions, nearest, changed)), points(least.value)]
            )
    return markdown_table(table, ["questions", "picks differ on", "measured gain, points", "smallest gain told apart"])


def page() -> str:
    """All that the page shows between its markers."""
    return "\n\n".join([controls(), verdicts(), two_points()])


if __name__ == "__main__":
    printed = page()
    print(printed)
    if "--write" in sys.argv:
        text = PAGE.read_text(encoding="utf-8")
        head, tail = text[: text.index(START) + len(START)], text[text.index(END) :]
        PAGE.write_text(f"{head}\n\n{printed}\n\n{tail}", encoding="utf-8")
