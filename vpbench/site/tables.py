"""The leaderboard's groups as tables: what can be compared, best first, and the controls beneath."""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.report.kinds import selects_by_vote
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.tables import Cell, Figure, Table
from vpbench.site.board import Board, Section
from vpbench.site.groups import Entry, Group

_CONTROLS = {"vote": "majority vote", "random": "random pick", "first": "first candidate", "oracle": "oracle (pass@N)"}

_STEP_HEADERS = ("", "rank", "macro-F1, held-out threshold", "macro-F1, fixed threshold", "AUROC", "first-error F1")
_STEP_KEYS = ("name", "rank", "macro_f1_held_out", "macro_f1_fixed", "auroc", "first_error_f1")


def board_tables(board: Board) -> list[Table]:
    """A table per group."""
    return [_table(section, group) for section in board.sections for group in section.groups]


def _table(section: Section, group: Group) -> Table:
    first = group.first
    world = " (miniature world)" if section.nano else ""
    remarks = [
        line if line in group.shared else f"{entry.name}: {line}" for entry in group.entries for line in entry.remarks
    ]
    notes = tuple(dict.fromkeys(remarks))
    if isinstance(first, StepResult):
        title = f"{section.name}{world}: step detection, {first.size} solutions"
        return Table(title, _STEP_HEADERS, _step_rows(group.entries, first), notes, _STEP_KEYS)
    title = f"{section.name}{world}: {first.size} questions, pool {first.policy}, {first.graded}, {first.estimator}"
    headers, keys = ["", "rank", "selection"], ["name", "rank", "selection"]
    for n in group.ns:
        headers += [f"{first.metric.replace('_', ' ')} at N = {n}", f"over random at N = {n}", f"over vote at N = {n}"]
        keys += [f"value_{n}", f"over_random_{n}", f"over_vote_{n}"]
    return Table(title, tuple(headers), _rows(group, first), notes, tuple(keys))


def _rows(group: Group, first: BestOfNResult) -> tuple[tuple[Cell, ...], ...]:
    rows: list[tuple[Cell, ...]] = []
    for rank, entry in enumerate(group.entries, 1):
        cells: list[Cell] = []
        for n in group.ns:
            cells += _gained(entry, n)
        rows.append((entry.name, None if group.ns[0] == 1 else rank, _result(entry).selection, *cells))
    for control, label in _CONTROLS.items():
        curve = first.curves[control]
        points = [curve[first.ns.index(n)] for n in group.ns] if curve else []
        figures = [Figure(point.value, point.low, point.high) for point in points] or [Figure(None)] * len(group.ns)
        cells = [cell for figure in figures for cell in (figure, None, None)]
        rows.append((label, None, "control", *cells))
    return tuple(rows)


def _gained(entry: Entry, n: int) -> list[Cell]:
    """The critic's value at N and its gains; a gain that is 0 by construction is none."""
    result = _result(entry)
    k = entry.ns.index(n)
    point = result.curves["critic"][k]
    cells: list[Cell] = [Figure(point.value, point.low, point.high)]
    for name, constructed in (("over_random", n == 1), ("over_vote", n == 1 or selects_by_vote(result))):
        gain = result.gains[name][k] if result.gains[name] else None
        if gain is None:
            cells.append(Figure(None))
        else:
            cells.append(None if constructed else Figure(gain.value, gain.low, gain.high, points=True))
    return cells


def _result(entry: Entry) -> BestOfNResult:
    assert isinstance(entry.result, BestOfNResult)
    return entry.result


def _step_rows(entries: Sequence[Entry], first: StepResult) -> tuple[tuple[Cell, ...], ...]:
    rows: list[tuple[Cell, ...]] = []
    for rank, entry in enumerate(entries, 1):
        assert isinstance(entry.result, StepResult)
        report = entry.result.step_f1
        fitted = report.held_out_threshold
        held_out = None if fitted is None else fitted.pooled
        ranking, placed = report.ranking, report.first_errors
        harmonic = None if report.first_error is None else Figure(report.first_error.harmonic_mean)
        rows.append(
            (
                entry.name,
                rank,
                None if held_out is None else Figure(held_out.macro_f1, held_out.low, held_out.high),
                Figure(report.pooled.macro_f1, report.pooled.low, report.pooled.high),
                None if ranking is None else Figure(ranking.auroc, ranking.auroc_low, ranking.auroc_high),
                harmonic if placed is None else Figure(placed.mean_f1, placed.low, placed.high),
            )
        )
    for control in first.step_f1.controls:
        area = None if control.auroc is None else Figure(control.auroc.value, control.auroc.low, control.auroc.high)
        figure = Figure(control.macro_f1, control.low, control.high)
        rows.append((f"control: {control.name}", None, figure, None, area, None))
    return tuple(rows)
