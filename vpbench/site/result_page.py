"""A page per result: curves with gains, tables, breakdowns beside comparable critics, diagnosis, origin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from vpbench.errors import VpbenchError
from vpbench.report.result import BestOfNResult
from vpbench.report.stored import StoredResult
from vpbench.report.summary import result_tables
from vpbench.site.board import Board, Section
from vpbench.site.breakdowns import by_category, by_source
from vpbench.site.charts import Chart
from vpbench.site.curves import result_charts, step_charts
from vpbench.site.groups import Entry, Group
from vpbench.site.origin import command_of, origin_of, public_json


def result_pages(board: Board, templates: Any) -> Iterator[tuple[str, bytes]]:
    """The name and content of every result's page, and of its figures as JSON."""
    template = templates.get_template("result.html.j2")
    for section in board.sections:
        for group in section.groups:
            for entry in group.entries:
                yield f"{entry.slug}.html", _page(entry, group, section, board, template).encode()
                content = json.dumps(public_json(entry.result), indent=1, ensure_ascii=False, allow_nan=False)
                yield f"{entry.slug}.json", content.encode("utf-8", "replace")


def _page(entry: Entry, group: Group, section: Section, board: Board, template: Any) -> str:
    charts, failure = _charts(board.stored[entry.folder])
    breakdown = by_category(entry, group.entries) or by_source(entry, group.entries)
    tables = result_tables(entry.result, entry.name)
    # the last one's figures are in the breakdown
    tables = tables[:-1] if breakdown and len(tables) > 1 else tables
    page: str = template.render(
        root="../",
        entry=entry,
        result=entry.result,
        section=section,
        anchor=board.anchors[section.nano, section.name],
        others=[other for other in group.entries if other is not entry],
        charts_drawn=charts,
        failure=failure,
        tables=[replace(table, title=table.title.rpartition(": ")[2]) for table in tables],
        breakdown=breakdown,
        command=command_of(entry.result),
        origin=origin_of(entry.result),
    )
    return page


def _charts(stored: StoredResult) -> tuple[list[Chart], str]:
    """The result's charts, and what is wrong with its files where that leaves one out."""
    if isinstance(stored.result, BestOfNResult):
        return result_charts(stored.result), ""
    try:
        return step_charts(stored), ""
    except VpbenchError as error:
        return [], str(error)
