"""The rankings of a page of the leaderboard, as their cells read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape


@dataclass(frozen=True)
class PageRow:
    """A row: its name without what stands beside it, the text of its header, and the texts of its cells by column."""

    name: str
    header: str
    cells: dict[str, str]


@dataclass(frozen=True)
class PagePanel:
    """A table at one N (None: there is no N), its headers by column, and whether it is the one shown first."""

    ranking: str
    n: int | None
    chosen: bool
    headers: dict[str, str]
    lines: list[PageRow]
    controls: list[PageRow]


def text_of(markup: str) -> str:
    return unescape(" ".join(re.sub("<[^>]*>", "", markup).split()))


def panels(page: str) -> list[PagePanel]:
    """Every panel of every ranking, in order."""
    shown = []
    for part in re.split('<div class="ranking" id="', page)[1:]:
        id = part[: part.index('"')]
        for panel in re.split('<div class="panel', part)[1:]:
            n = re.match(r'( chosen)?"(?: data-n="(\d+)")?', panel)
            assert n is not None
            table = panel[: panel.index("</table>")]
            head, body, *controls = table.split("<tbody")
            headers = {
                key: text_of(title)
                for key, title in re.findall(r'<th scope="col" data-column="([^"]*)"[^>]*>(.*?)</th>', head, re.S)
            }
            below = _rows(controls[0]) if controls else []
            number = int(n[2]) if n[2] else None
            shown.append(PagePanel(id, number, bool(n[1]) or number is None, headers, _rows(body), below))
    return shown


def first_panels(page: str) -> list[PagePanel]:
    """The panel of every ranking that is shown first."""
    return [panel for panel in panels(page) if panel.chosen]


def ranked(page: str) -> list[list[str]]:
    """The critics in every ranking of a task as it is shown first, best first."""
    return [[row.name for row in panel.lines] for panel in first_panels(page) if panel.ranking.startswith("task-")]


def _rows(body: str) -> list[PageRow]:
    rows = []
    for row in re.findall("<tr.*?</tr>", body, re.S):
        header = re.search('<th scope="row">(.*?)</th>', row, re.S)
        assert header is not None
        cells = re.findall(r'<td[^>]*data-column="([^"]*)"[^>]*>(.*?)</td>', row, re.S)
        name = text_of(re.split(' <span class="tag| <small>', header[1])[0])
        rows.append(PageRow(name, text_of(header[1]), {key: text_of(cell) for key, cell in cells}))
    return rows
