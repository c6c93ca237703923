"""`vpbench report`: what a finished run found, printed again from its results; nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vpbench.errors import ConfigError
from vpbench.report.frames import readable, result_files
from vpbench.report.names import names
from vpbench.report.overview import overview
from vpbench.report.stored import StoredResult
from vpbench.report.summary import result_tables, summary
from vpbench.report.tables import Table, render
from vpbench.terminal import Format, echo


def report_runs(runs: Path, style: Format, plots: Path | None) -> None:
    """Print the results under `runs`, and draw their figures into the folder `plots`.

    A result that can't be read is told on standard error and left out. Raises `ConfigError` if none can be read.
    """
    results, left_out = readable(result_files(runs))
    for error in left_out:
        echo(f"vpbench: left out: {error}", err=True)
    if not results:
        raise ConfigError(f"{runs}: no result that can be read; fix or remove what is named above")
    if style == "text":
        if len(results) > 1:
            echo(f"\n{overview(results).text()}")
        for stored in results:
            echo(summary(stored.result))
    else:
        echo(render(tables_of(results), style))
    if plots is not None:
        from vpbench.report.figures import write_figures

        for path in write_figures([stored.result for stored in results], plots):
            echo(f"written to {path}", err=True)


def tables_of(results: Sequence[StoredResult]) -> list[Table]:
    """All tables of a run: the overview of several results, then those of each, one after the other."""
    called = names([stored.result for stored in results])
    overviews = overview(results).tables() if len(results) > 1 else []
    return overviews + [
        table for stored, name in zip(results, called, strict=True) for table in result_tables(stored.result, name)
    ]
