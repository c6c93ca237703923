"""A gain that falls with n: told where it does, late or early, and in less than 5% of worlds where it doesn't."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vpbench.stats import Headline
from vpbench.stats.diagnosis.gains import falls


def swaying(curve: Sequence[float], seed: int) -> Headline:
    """64 units whose gains go together from n to n, as those of one pool do; spread as in the miniature world."""
    rng = np.random.default_rng(seed)
    gain = 0.08 * rng.normal(size=(64, len(curve))).cumsum(axis=1) + 0.2 * rng.normal(size=(64, 1))
    control = np.full(gain.shape, 0.5)
    ns = tuple(2**k for k in range(len(curve)))
    critic = control + np.array(curve) + gain
    return Headline(ns, critic, control, control, control, tuple(range(64)), resamples=500)


@pytest.mark.parametrize(
    ("curve", "least", "most"),
    [
        ((0.0, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03), 0.0, 0.05),
        ((0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.06), 0.0, 0.05),
        ((0.0, 0.05, 0.04, 0.02, 0.0, -0.02, -0.03, -0.04), 0.6, 1.0),
        ((0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.3, 0.2), 0.9, 1.0),  # a late peak above a mean that doesn't fall
    ],
)
def test_falls_are_told_and_not_imagined_where_columns_go_together(
    curve: tuple[float, ...], least: float, most: float
) -> None:
    told = sum(bool(falls(swaying(curve, seed))) for seed in range(400)) / 400
    assert least <= told < most or told == most == 1, told
