"""`vpbench leaderboard`: the page over all results, and its ranked groups as tables where they are asked for."""

from __future__ import annotations

from pathlib import Path

from vpbench.report.tables import render
from vpbench.site.leaderboard import read_board, write_page
from vpbench.site.tables import board_tables
from vpbench.terminal import Format, echo


def show_leaderboard(output: Path, site: Path, style: Format) -> None:
    """Write the page into `site`; print where it is, or the tables and that on standard error. Raises `ConfigError`."""
    board = read_board(output)
    page = write_page(board, site)
    echo(f"{board.results} result{'s' * (board.results != 1)} in {page}", err=style != "text")
    if style != "text":
        echo(render(board_tables(board), style))
