"""`vpbench leaderboard`: the pages over all results, and its ranked groups as tables where they are asked for."""

from __future__ import annotations

from pathlib import Path

from vpbench.report.tables import render
from vpbench.site.board import read_board
from vpbench.site.leaderboard import write_site
from vpbench.site.tables import board_tables
from vpbench.terminal import Format, echo


def show_leaderboard(output: Path, site: Path, style: Format, public: bool = False) -> None:
    """Write the pages into `site`; print where they are, or the tables, and that on standard error.

    Raises `ConfigError`.
    """
    board = read_board(output)
    page = write_site(board, site, public)
    echo(f"{board.results} result{'s' * (board.results != 1)} in {page}", err=style != "text")
    if style != "text":
        echo(render(board_tables(board), style))
