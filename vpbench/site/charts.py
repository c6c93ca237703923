"""Line charts as shapes in an SVG's coordinates, which the templates write and the style sheet colours.

So a chart follows the page's colours in the light and in the dark, its text is text, and each mark says its figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vpbench.report.names import without_paths
from vpbench.terminal import printable

WIDTH, HEIGHT = 460, 290
LEFT, RIGHT, TOP, BOTTOM = 44, 128, 26, 40
LABEL_HEIGHT = 14
LABEL_CHARACTERS = 17
MARKED_AT_MOST = 20
"""Points of a line that are marked; more would hide it."""
DRAWN_AT_MOST = 8
"""As many lines as there are colours; what more there is would hide the others."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A line: the class of its `style`, what it is called, points (x, y), and the interval (x, low, high) of each.

    `notes` are what a mark says when it is pointed at, by default its y.
    """

    style: str
    label: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float, float], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A point as it is drawn, and what it says."""

    x: float
    y: float
    note: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trace as it is drawn: paths of the line and of its band, marks, and where its label stands."""

    style: str
    label: str
    name: str
    path: str
    band: str
    marks: tuple[Mark, ...]
    end: float
    label_y: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: where it is, and its words."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as it is drawn. `zero` is where the line of no difference is, `diagonal` the path of y = x.

    `at` is an x that is marked.
    """

    id: str
    title: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    drawn: tuple[Drawn, ...]
    zero: float | None = None
    diagonal: str = ""
    at: Tick | None = None

    width = WIDTH
    height = HEIGHT
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True)
class _Axis:
    """From values to places: `low`..`high` lie at `start`..`end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        low, high, value = (math.log2(v) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 2)


def line_chart(
    id: str,
    title: str,
    titles: tuple[str, str],
    traces: Sequence[Trace],
    x_labels: Sequence[tuple[float, str]],
    *,
    log: bool = False,
    zero: bool = False,
    square: bool = False,
    at: tuple[float, str] | None = None,
) -> Chart:
    """A chart of `traces`, with `titles` of its axes. `log`: x is logarithmic. `zero`: y includes 0, which is drawn.

    `at`: an x to mark, in its words. `square`: both axes reach from 0 to 100, and y = x is drawn. Values of y are
    percent, or points of them.
    """
    ys = [end for trace in traces for _, low, high in trace.band for end in (low, high)]
    ys += [y for trace in traces for _, y in trace.points]
    xs = [x for x, _ in x_labels]
    ys += [0.0] if zero else [0.0, 100.0] if square else []
    low, high, step = nice(min(ys), max(ys))
    x_axis = _Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, log)
    y_axis = _Axis(low, high, HEIGHT - BOTTOM, TOP)
    ticks = [low + k * step for k in range(round((high - low) / step) + 1)]
    return Chart(
        id,
        title,
        *titles,
        tuple(Tick(x_axis.at(x), label) for x, label in x_labels),
        tuple(Tick(y_axis.at(y), f"{y:+g}" if zero and y else f"{y:g}") for y in (round(tick, 6) for tick in ticks)),
        _drawn(traces, x_axis, y_axis, zero),
        y_axis.at(0) if zero else None,
        f"M{x_axis.at(0)} {y_axis.at(0)}L{x_axis.at(100)} {y_axis.at(100)}" if square else "",
        None if at is None else Tick(x_axis.at(at[0]), at[1]),
    )


def _drawn(traces: Sequence[Trace], x_axis: _Axis, y_axis: _Axis, signed: bool) -> tuple[Drawn, ...]:
    ends = [y_axis.at(trace.points[-1][1]) for trace in traces]
    heights = _spread(ends)
    drawn = []
    for trace, end, height in zip(traces, ends, heights, strict=True):
        places = [(x_axis.at(x), y_axis.at(y)) for x, y in trace.points]
        notes = trace.notes or tuple(f"{y:+.1f}" if signed else f"{y:.1f}" for _, y in trace.points)
        marked = list(zip(places, notes, strict=True)) if len(places) <= MARKED_AT_MOST else []
        upper = [(x_axis.at(x), y_axis.at(high)) for x, _, high in trace.band]
        lower = [(x_axis.at(x), y_axis.at(low)) for x, low, _ in reversed(trace.band)]
        drawn.append(
            Drawn(
                trace.style,
                _short(trace.label),
                trace.label,
                _path(places),
                f"{_path([*upper, *lower])}Z" if trace.band else "",
                tuple(Mark(x, y, f"{trace.label}: {note}") for (x, y), note in marked),
                end,
                height,
            )
        )
    return tuple(drawn)


def _short(label: str) -> str:
    label = printable(without_paths(" ".join(label.split())))
    return label if len(label) <= LABEL_CHARACTERS else f"{label[: LABEL_CHARACTERS - 1].rstrip()}…"


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in places)


def _spread(ends: Sequence[float]) -> list[float]:
    """Heights of labels as near to their lines' ends as they fit without hiding each other."""
    order = sorted(range(len(ends)), key=lambda k: ends[k])
    heights = [0.0] * len(ends)
    lowest: float = TOP - LABEL_HEIGHT
    for k in order:
        lowest = heights[k] = max(ends[k], lowest + LABEL_HEIGHT)
    highest: float = HEIGHT - BOTTOM + LABEL_HEIGHT
    for k in reversed(order):
        highest = heights[k] = min(heights[k], highest - LABEL_HEIGHT)
    return [round(height, 2) for height in heights]


def nice(low: float, high: float, least: float = 1.0) -> tuple[float, float, float]:
    """Ends of an axis that hold `low` and `high`, and the step between its marks, of which there are up to nine.

    An axis of fewer than `least` would make much of nothing.
    """
    span = max(high - low, least)
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= 7)
    first, last = math.floor(low / step), math.ceil(high / step)
    return first * step, (last if last > first else first + 1) * step, step
