"""What a long run shows of itself: lines where there is no terminal, nothing with -q."""

from __future__ import annotations

import logging

import pytest

from vpbench import progress
from vpbench.progress import bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds; tests set its only item."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_a_minute_says_done_rate_and_time_left(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vpbench")
    with bar("scoring t (c)", 20_000) as shown:
        for second in range(1, 151):
            clock[0] = float(second)
            shown.update(20)
    assert caplog.messages == [
        "scoring t (c): 1,200 of 20,000 rows, 20/s, 16 min left",
        "scoring t (c): 2,400 of 20,000 rows, 20/s, 15 min left",
    ]


def test_a_long_rest_is_told_in_hours(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vpbench")
    with bar("drawing t (p)", 100_000) as shown:
        clock[0] = 60.0
        shown.update(60)
    assert caplog.messages == ["drawing t (p): 60 of 100,000 rows, 1/s, 27 h 46 min left"]


def test_quiet_shows_nothing(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "vpbench")
    with bar("scoring t (c)", 10) as shown:
        clock[0] = 600.0
        shown.update(10)
    assert caplog.messages == []
