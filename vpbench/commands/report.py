"""`vpbench report`: what a finished run found, printed again from its results; nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vpbench.errors import ConfigError
from vpbench.report.frames import Results, readable, result_files
from vpbench.report.names import names
from vpbench.report.overview import Overview, overviews
from vpbench.report.stored import StoredResult
from vpbench.report.summary import result_tables, summary
from vpbench.report.tables import Table, render
from vpbench.terminal import Format, echo

if TYPE_CHECKING:
    from vpbench.report.exports import Layout


def report_runs(runs: Path, style: Format, plots: Path | None, layout: Layout | None, into: Path | None) -> None:
    """Print the results under `runs`, draw their figures into the folder `plots`, and export them `into` another.

    A result that can't be read is told on standard error and left out. Raises `ConfigError` if none can be read, and
    for a layout without a folder, or the reverse.
    """
    if (layout is None) != (into is None):
        raise ConfigError("--export LAYOUT and --into DIR go together; give both")
    results, left_out = readable(result_files(runs))
    for error in left_out:
        echo(f"vpbench: left out: {error}", err=True)
    if not results:
        raise ConfigError(f"{runs}: no result that can be read; fix or remove what is named above")
    if style == "text":
        for whole in _overviews(results):
            echo(f"\n{whole.text()}")
        for stored in results:
            echo(summary(stored.result))
    else:
        echo(render(tables_of(results), style))
    if plots is not None:
        _draw(results, plots)
    if layout is not None and into is not None:
        _export(results, layout, into)


def _draw(results: Sequence[StoredResult], folder: Path) -> None:
    from vpbench.report.figures import write_figures
    from vpbench.site.groups import Entry, groups_of

    called = names([stored.result for stored in results])
    by_task: dict[tuple[bool, str], list[Entry]] = {}
    for stored, name in zip(results, called, strict=True):
        entry = Entry(name, stored.folder.name, stored.result)
        by_task.setdefault((stored.result.nano, stored.result.task), []).append(entry)
    groups = [
        sorted(((entry.name, entry.result) for entry in group.entries), key=lambda named: named[0])
        for _, entries in sorted(by_task.items(), key=lambda item: item[0])
        for group in groups_of(entries)
    ]
    files = write_figures(groups, folder)
    echo(f"{len(files)} files in {folder}", err=True)


def _export(results: Sequence[StoredResult], layout: Layout, into: Path) -> None:
    from vpbench.report.exports import export

    files = export(results, layout, into)
    for note in Results(tuple(results)).notes:
        echo(f"vpbench: exported without its responses: {note}", err=True)
    echo(f"{len(files)} files in {into}", err=True)


def _overviews(results: Sequence[StoredResult]) -> list[Overview]:
    """The overviews of several results; none, with the reason on standard error, where one's units aren't there."""
    try:
        return overviews(results) if len(results) > 1 else []
    except ConfigError as error:
        echo(f"vpbench: no overview: {error}", err=True)
        return []


def tables_of(results: Sequence[StoredResult]) -> list[Table]:
    """All tables of a run: the overview of several results, then those of each, a task's results together."""
    tasks = list(dict.fromkeys(stored.result.task for stored in results))
    together = sorted((stored.result for stored in results), key=lambda result: tasks.index(result.task))
    called = names(together)
    above = [table for whole in _overviews(results) for table in whole.tables()]
    return above + [
        table for result, name in zip(together, called, strict=True) for table in result_tables(result, name)
    ]
