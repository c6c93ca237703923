"""Two runs or studies side by side: cells paired by task and critic, every critic's mean of tasks on top.

Best-of-N cells are compared at the N that an overview shows. Holm's correction runs over all differences, those of the
means and of the single tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vpbench.errors import ConfigError
from vpbench.report.compare import RESAMPLES, Comparison, compare
from vpbench.report.differences import Differences
from vpbench.report.differing import critic_alone
from vpbench.report.frames import result_files
from vpbench.report.overview_cells import usual_ns
from vpbench.report.result import BestOfNResult
from vpbench.report.stored import StoredResult, read_result
from vpbench.report.tables import Table
from vpbench.report.units import aligned
from vpbench.stats import Difference, Stratum, mean_differences

Key = tuple[str, str]
"""A cell: the row's name, the task."""


@dataclass(frozen=True)
class StudyComparison(Differences):
    """The differences second minus first, as fractions of 1, one per critic, task (or mean of tasks) and N.

    `cells` are the pairs; of cells without a partner `lost` names those of the first side, `added` those of the second.
    """

    cells: tuple[Comparison, ...]
    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    alike: tuple[int, ...]
    smallest_loss: float = 0.0
    lost: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def table(self) -> Table:
        """The comparison in percentage points; the notes say all that differs, and what has no partner."""
        lines: dict[str, list[str]] = {}
        for cell in self.cells:
            for line in (*(f"differs: {line}" for line in cell.differing), *(f"note: {note}" for note in cell.notes)):
                lines.setdefault(line, []).append(f"{cell.second.result.row} on {cell.second.result.task}")
        notes = [
            line if len(of) == len(self.cells) else f"{line} ({', '.join(of[:3])}{', ...' * (len(of) > 3)})"
            for line, of in lines.items()
        ]
        if not all(critic_alone(cell.first.result, cell.second.result) for cell in self.cells):
            notes.append("note: the difference isn't the critic's alone")
        notes += [f"only in the first: {name}" for name in self.lost]
        notes += [f"only in the second: {name}" for name in self.added]
        return self.as_table(f"second minus first, {len(self.cells)} pairs of results", notes)


def compare_runs(first: Path, second: Path, smallest_loss: float = 0.0) -> Comparison | StudyComparison:
    """Compare the results in two folders: of a result, a run, or a study. A single result each is a `Comparison`.

    A run of one critic is paired with another run of one critic whatever they are called. Raises `ConfigError` where no
    cell has a partner, where two results of one side are called alike, and where a pair can't be compared.
    """
    one, two = sides = _cells(first), _cells(second)
    if _is_result(first) and _is_result(second):
        (left,), (right,) = one.values(), two.values()
        return compare(left, right, smallest_loss)
    if all(len({row for row, _ in side}) == 1 for side in sides):
        (row,) = {row for row, _ in two}
        one = {(row, task): stored for (_, task), stored in one.items()}
    keys = [key for key in two if key in one]
    if not keys:
        raise ConfigError(
            f"can't compare {first} with {second}: no critic and task is in both: {_names(one)}; {_names(two)}"
        )
    cells = {key: compare(one[key], two[key], smallest_loss) for key in keys}
    ns = usual_ns([_shared(cell) for cell in cells.values() if isinstance(cell.second.result, BestOfNResult)])
    differences: dict[str, Difference] = {}
    for row in dict.fromkeys(row for row, _ in keys):
        of_row = {task: cell for (name, task), cell in cells.items() if name == row}
        prefix = f"{row}, " if len({name for name, _ in keys}) > 1 else ""
        differences |= {prefix + label: difference for label, difference in _of_row(of_row, ns).items()}
    alike = tuple(k for k, d in enumerate(differences.values()) if d.low == d.high)
    lost, added = (tuple(f"{row} on {task}" for row, task in side if (row, task) not in cells) for side in (one, two))
    return StudyComparison(
        tuple(cells.values()), tuple(differences), tuple(differences.values()), alike, smallest_loss, lost, added
    )


def _is_result(path: Path) -> bool:
    return path.name == "result.json" or not path.is_dir() or (path / "result.json").is_file()


def _cells(folder: Path) -> dict[Key, StoredResult]:
    """The results in a folder by row and task."""
    if _is_result(folder):
        stored = read_result(folder)
        return {(stored.result.row, stored.result.task): stored}
    files = result_files(folder)
    cells: dict[Key, StoredResult] = {}
    for stored in map(read_result, files):
        key = (stored.result.row, stored.result.task)
        if key in cells:
            raise ConfigError(
                f"{folder}: two results of {key[0]} on {key[1]}; give a study's folder, or give one of its "
                f"{len(files)} results:\n" + "\n".join(f"  {file.parent}" for file in files)
            )
        cells[key] = stored
    return cells


def _names(side: Mapping[Key, StoredResult]) -> str:
    return ", ".join(f"{row} on {task}" for row, task in side)


def _shared(cell: Comparison) -> tuple[int, ...]:
    return tuple(n for n in cell.first.units.ns if n in cell.second.units.ns)


def _of_row(cells: Mapping[str, Comparison], ns: Sequence[int]) -> dict[str, Difference]:
    """A row's differences: of the mean of its Best-of-N tasks at every N that all have, then task by task."""
    curves = [cell for cell in cells.values() if isinstance(cell.second.result, BestOfNResult)]
    differences: dict[str, Difference] = {}
    if len(curves) > 1:
        common = [n for n in ns if all(n in _shared(cell) for cell in curves)]
        mean = _mean_difference(curves, common) if common else []
        differences |= {f"mean of {len(curves)} tasks, N = {n}": d for n, d in zip(common, mean, strict=True)}
    for task, cell in cells.items():
        for label, difference in zip(cell.labels, cell.differences, strict=True):
            if not isinstance(cell.second.result, BestOfNResult) or label in {f"N = {n}" for n in ns}:
                differences[f"{task}, {label}"] = difference
    return differences


def _mean_difference(cells: Sequence[Comparison], ns: Sequence[int]) -> list[Difference]:
    strata = []
    for cell in cells:
        units = cell.second.units
        two, one = (aligned(side.units, units.names, ns)["critic"] for side in (cell.second, cell.first))
        strata.append(Stratum(cell.second.result.task, two - one, units.clusters))
    by_label = [dict(zip(cell.labels, cell.differences, strict=True)) for cell in cells]
    # an interval has zero width where the difference is 0 by construction; a mean of such differences is too
    alike = [k for k, n in enumerate(ns) if all(row[f"N = {n}"].low == row[f"N = {n}"].high for row in by_label)]
    return mean_differences(strata, RESAMPLES, alike=alike)
