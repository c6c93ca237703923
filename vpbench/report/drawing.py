"""How figures for papers are drawn: a column wide, in colours that colour-blind readers tell apart, and in grey too.

Critics are told apart by colour (Okabe and Ito 2008), marker and line; controls are grey lines without markers. The
same figure is the same bytes on the same machine, with no date and no path in it.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from vpbench.report.fonts import drawable, families
from vpbench.report.names import without_paths
from vpbench.terminal import printable

Images = dict[str, bytes]
"""A figure in several formats, by suffix."""
Styles = Mapping[tuple[str, str], int]
"""The number of each critic's style, by its name and selection, which is empty for steps."""
WIDTH = 3.4
"""Inches: a column of a page with two."""
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "os^DvPX<>*"
_LINES = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)))
CONTROLS: dict[str, tuple[str, Any, str]] = {
    "oracle": ("#b0b0b0", (0, (7, 2)), "oracle (pass@N)"),
    "vote": ("#555555", (0, (4, 1.5)), "majority vote"),
    "random": ("#808080", (0, (1, 1.5)), "random pick"),
}
"""Colour, line and label."""
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
_SIZE = 7
"""Of all text, in points."""
_HANDLE = 42
"""Points of a legend's entry that aren't its text."""
_HALF = 40
"""Of a name that is too long, so many characters from both ends."""


@contextlib.contextmanager
def paper_style() -> Iterator[None]:
    """Within it figures are drawn and saved for a paper."""
    import matplotlib

    settings: dict[str, Any] = {
        "font.family": ["DejaVu Sans", *families()],
        "font.size": _SIZE,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "grid.linewidth": 0.5,
        "lines.linewidth": 1.0,
        "lines.markersize": 4,
        "lines.markerfacecolor": "white",
        "legend.frameon": False,
        # TrueType, as publishers ask for
        "pdf.fonttype": 42,
    }
    with matplotlib.rc_context(settings):
        yield


def critic_style(number: int) -> dict[str, Any]:
    """Colour, marker and line of a figure's critic with this number, from 0."""
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "linestyle": _LINES[number % len(_LINES)],
    }


def canvas(height: float) -> tuple[Any, Any]:
    """A figure of `height` inches without title and legend, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def finish(figure: Any, axes: Any, title: Sequence[str]) -> Images:
    """Add title and legend, for which the figure grows, and save it in every format."""
    room = 72 * WIDTH - 8
    lines = [line for part in title for line in wrapped(part, room).splitlines()]
    figure.suptitle("\n".join(lines), fontsize=_SIZE)
    handles, labels = axes.get_legend_handles_labels()
    widest = max(map(_width, labels), default=0) + _HANDLE
    ncols = next((count for count in (3, 2) if count * widest <= room), 1)
    shown = [wrapped(label, room / ncols - _HANDLE) for label in labels]
    figure.legend(handles, shown, loc="outside lower center", ncols=ncols, fontsize=_SIZE, handlelength=2.8)
    rows = math.ceil(sum(label.count("\n") + 1 for label in shown) / ncols)
    figure.set_size_inches(WIDTH, figure.get_figheight() + 0.13 * (len(lines) + rows))
    return image_bytes(figure, 300, "svg", "pdf", "png")


def image_bytes(figure: Any, dpi: int, *suffixes: str) -> Images:
    """The figure in each format, by suffix."""
    import matplotlib

    images = {}
    with matplotlib.rc_context({"svg.hashsalt": "vpbench"}):
        for suffix in suffixes:
            buffer = BytesIO()
            figure.savefig(buffer, format=suffix, dpi=dpi, metadata=_METADATA[suffix])
            images[suffix] = buffer.getvalue()
    return images


def count_axis(axes: Any, ns: Sequence[int]) -> None:
    """A logarithmic axis of `ns`, in order, with as many ticks as have room."""
    axes.set_xscale("log", base=2)
    gap = math.log2(ns[-1] / ns[0]) / 9
    ticks = [ns[-1]]
    for n in reversed(ns[:-1]):
        if math.log2(ticks[-1] / n) >= gap:
            ticks.append(n)
    axes.set_xticks(ticks, list(map(str, ticks)))
    axes.minorticks_off()
    if len(ns) == 1:
        axes.set_xlim(ns[0] / 1.6, ns[0] * 1.6)
    axes.set_xlabel("N (candidates to choose from)")


def dodged(ns: Sequence[int], number: int, count: int) -> list[float]:
    """Where the marks of the critic with this number stand, so that the bars of `count` critics don't hide another."""
    steps = [math.log2(after / before) for before, after in zip(ns, ns[1:], strict=False)]
    width = min([1.0, *steps]) * min(0.15 * count, 0.6)
    return [n * 2 ** (width * ((number + 0.5) / count - 0.5)) for n in ns]


def shortened(name: str) -> str:
    """A name from a file in one line without folders; of a very long one the middle is left out."""
    line = drawable(printable(" ".join(without_paths(name).split())))
    return line if len(line) <= 2 * _HALF else f"{line[:_HALF]}…{line[-_HALF:]}"


def wrapped(text: str, room: float) -> str:
    """The text in lines of at most `room` points, broken after a blank or a joint; nothing in it is a formula."""
    lines = []
    while _width(text) > room:
        fits = next((k for k in range(len(text) - 1, 1, -1) if _width(text[:k]) <= room), 1)
        joints = [max(text.rfind(joint, fits // 2, fits) for joint in kind) + 1 for kind in (" ", "-_/.,;")]
        cut = next((joint for joint in joints if joint), fits)
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return "\n".join([*lines, text]).replace("$", r"\$")


def _width(text: str) -> float:
    """How wide the text is, in points."""
    return sum(map(_advance, text))


@functools.cache
def _advance(character: str) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _, _ = text_to_path.get_text_width_height_descent(character, FontProperties(size=_SIZE), False)
    return float(width)
