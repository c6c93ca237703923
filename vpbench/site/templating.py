"""How the pages are written: templates in which all that data says is text, and no folder of this machine is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vpbench.report.names import without_paths
from vpbench.report.tables import Cell, Figure, PValue
from vpbench.terminal import p_value, percent, points, printable

ROOM = Path(__file__).parent


def environment() -> Any:
    """The templates' environment."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOM / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_public,
    )
    made.filters |= {"percent": percent, "points": points, "p_value": p_value, "place": place, "amount": amount}
    made.globals["spelled"] = spelled
    return made


def place(value: float, scale: tuple[float, float]) -> str:
    """Where a value lies between the ends of a scale, from 4 to 96."""
    low, high = scale
    return f"{4 + 92 * (value - low) / (high - low):.1f}"


def spelled(cell: Cell) -> str:
    """A cell of a table without its interval."""
    if isinstance(cell, Figure):
        return "–" if cell.points and cell.low == cell.high == 0 else cell.shown
    if isinstance(cell, PValue):
        return p_value(cell.value)
    return "" if cell is None else f"{cell:.4f}" if isinstance(cell, float) else str(cell)


def amount(value: object) -> str:
    """A number with its thousands apart; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


def _public(value: Any) -> Any:
    """What the page says of a value: nothing that steers what shows it, no folder of this machine."""
    # what a macro made is markup, and its parts came through here
    return value if hasattr(value, "__html__") else printable(without_paths(str(value)))
