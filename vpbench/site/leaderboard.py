"""The leaderboard: a folder of static pages, an overview and a page per result, every figure with its interval.

The pages need no server, no network and no script to be read; what they show is `vpbench.site.board`.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from vpbench.site.board import Board, read_board
from vpbench.site.browser import write_browser
from vpbench.site.curves import group_charts, standing_charts
from vpbench.site.group_rankings import group_ranking
from vpbench.site.groups import Group, by_chance
from vpbench.site.published_figures import PublishedFigures, published_figures
from vpbench.site.result_page import result_pages
from vpbench.site.standing_rankings import standing_ranking
from vpbench.site.templating import ROOM, environment
from vpbench.store import versions, write_atomic

_GENERATED = b'<meta name="generator" content="vpbench'


def build_leaderboard(output: Path, site: Path, public: bool = False) -> tuple[Path, int]:
    """Write the pages for all results under `output`/results; the overview's file and how many results it shows.

    Raises `ConfigError` as `read_board` does.
    """
    board = read_board(output)
    return write_site(board, site, public), board.results


def write_site(board: Board, site: Path, public: bool = False) -> Path:
    """Write all pages into the folder `site`; the overview's file.

    `public` leaves out images and questions whose licence doesn't let everybody show them.
    """
    (site / "results").mkdir(parents=True, exist_ok=True)
    (site / "assets").mkdir(exist_ok=True)
    for file in (ROOM / "assets").iterdir():
        shutil.copyfile(file, site / "assets" / file.name)
    browsed = write_browser(list(board.stored.values()), site, public)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    made = {"version": versions(("vpbench",))["vpbench"], "date": today}
    templates = environment()
    templates.globals |= {"made": made, "browsed": browsed}
    write_atomic(site / "index.html", _overview(board, templates).encode())
    written = set()
    for name, content in result_pages(board, templates):
        write_atomic(site / "results" / name, content)
        written.add(name)
    _remove_stale(site / "results", written)
    return site / "index.html"


def _overview(board: Board, templates: Any) -> str:
    groups = [group for section in board.sections for group in section.groups]
    gains, pairs = sum(group.gains for group in groups), sum(group.pairs for group in groups)
    anchors = board.anchors
    standings = [
        (standing, standing_ranking(standing, f"mean-{k}", groups), standing_charts(standing, f"mean-{k}"))
        for k, standing in enumerate(board.standings, 1)
    ]
    page: str = templates.get_template("index.html.j2").render(
        root="",
        board=board,
        anchors=anchors,
        standings=standings,
        sections=[(section, _drawn(section.groups, anchors[section.nano, section.name])) for section in board.sections],
        published=_published(board),
        gains=gains,
        by_chance=by_chance(gains),
        pairs=pairs,
    )
    return page


def _drawn(groups: Collection[Group], anchor: str) -> list[tuple[Group, Any, Any]]:
    ids = [f"{anchor}-{k}" for k in range(1, len(groups) + 1)]
    return [(group, group_ranking(group, id), group_charts(group, id)) for group, id in zip(groups, ids, strict=True)]


def _published(board: Board) -> list[PublishedFigures]:
    return [published_figures(section) for section in board.sections if section.references]


def _remove_stale(folder: Path, written: Collection[str]) -> None:
    """Remove pages of results that are no longer there: only what an earlier call wrote."""
    for page in folder.glob("*.html"):
        if page.name not in written and _GENERATED in page.read_bytes()[:1000]:
            page.unlink()
            page.with_suffix(".json").unlink(missing_ok=True)
