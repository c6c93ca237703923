"""How figures for papers are drawn: a column wide, in colours that colour-blind readers tell apart, and in grey too.

Critics are told apart by colour (Okabe and Ito 2008), marker and line; controls are grey lines without markers. The
same figure is the same bytes on the same machine, with no date and no path in it.
"""

from __future__ import annotations

import contextlib
import math
import unicodedata
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from vpbench.report.names import without_paths
from vpbench.terminal import printable

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
_CJK = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei")
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
LONGEST = 120
"""Of a name from a file, as many columns as a figure has room for."""


@contextlib.contextmanager
def paper_style() -> Iterator[None]:
    """Within it figures are drawn and saved for a paper."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    settings: dict[str, Any] = {
        "font.family": ["DejaVu Sans", *(font for font in _CJK if font in installed)],
        "font.size": 7,
        "axes.titlesize": 7,
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
        "svg.hashsalt": "vpbench",
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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)  # which can tell how wide a text is
    return figure, figure.subplots()


def finish(figure: Any, axes: Any, title: Sequence[str]) -> dict[str, bytes]:
    """Add title and legend, for which the figure grows, and save it in every format."""
    above = figure.suptitle("", fontsize=7)
    for width in (64, 48, 36):
        lines = [line for part in title for line in wrapped(part, width).splitlines()]
        above.set_text("\n".join(lines))
        if _fits(figure, above):
            break
    rows = _legend(figure, axes)
    figure.set_size_inches(WIDTH, figure.get_figheight() + 0.13 * (len(lines) + rows))
    return image_bytes(figure, 300, "svg", "pdf", "png")


def _legend(figure: Any, axes: Any) -> int:
    """Put the legend below, with as many entries beside one another as fit; how many lines it has."""
    handles, labels = axes.get_legend_handles_labels()
    placed = {"loc": "outside lower center", "fontsize": 7, "handlelength": 2.8}
    narrowest = 26
    for ncols, width in ((3, LONGEST), (2, LONGEST), (1, 50), (1, 36), (1, narrowest)):
        shown = [wrapped(label, width) for label in labels]
        legend = figure.legend(handles, shown, ncols=ncols, **placed)
        if _fits(figure, legend) or width == narrowest:
            break
        legend.remove()
    return math.ceil(sum(label.count("\n") + 1 for label in shown) / ncols)


def _fits(figure: Any, artist: Any) -> bool:
    return bool(artist.get_window_extent(figure.canvas.get_renderer()).width < 0.98 * figure.bbox.width)


def image_bytes(figure: Any, dpi: int, *suffixes: str) -> dict[str, bytes]:
    """The figure in each format, by suffix."""
    images = {}
    for suffix in suffixes:
        buffer = BytesIO()
        figure.savefig(buffer, format=suffix, dpi=dpi, metadata=_METADATA[suffix])
        images[suffix] = buffer.getvalue()
    return images


def count_axis(axes: Any, ns: Sequence[int]) -> None:
    """A logarithmic axis of N, with as many ticks as have room."""
    ns = sorted(set(ns))
    axes.set_xscale("log", base=2)
    gap = math.log2(ns[-1] / ns[0]) / 9
    ticks = ns[-1:]
    for n in reversed(ns[:-1]):
        if math.log2(ticks[-1] / n) >= gap:
            ticks.append(n)
    axes.set_xticks(ticks, list(map(str, ticks)))
    axes.minorticks_off()
    axes.set_xlabel("N (candidates to choose from)")


def dodged(ns: Sequence[int], number: int, count: int) -> list[float]:
    """Where the marks of the critic with this number stand, so that the bars of `count` critics don't hide another."""
    steps = [math.log2(after / before) for before, after in zip(ns, ns[1:], strict=False)]
    width = min([1.0, *steps]) * min(0.15 * count, 0.6)
    return [n * 2 ** (width * ((number + 0.5) / count - 0.5)) for n in ns]


def wrapped(text: str, width: int) -> str:
    """The text in lines of so many columns, the middle of a very long one left out; nothing in it is a formula."""
    words = printable(" ".join(without_paths(text).split()))
    if columns(words) > LONGEST:
        half = LONGEST // 2 // max(columns(character) for character in words)
        words = f"{words[:half]}…{words[-half:]}"
    lines = [""]
    for word in words.split(" "):
        if lines[-1] and columns(lines[-1]) + 1 + columns(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".lstrip()
        while columns(lines[-1]) > width:
            cut = next(k for k in range(len(lines[-1]), 0, -1) if columns(lines[-1][:k]) <= width)
            lines[-1:] = [lines[-1][:cut], lines[-1][cut:]]
    return "\n".join(lines).replace("$", r"\$")


def columns(text: str) -> int:
    """How many columns the text is wide; ideographs are two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
