"""What the curve over n says: worse than a control, falling with n, or nothing that is clear of noise.

A statement that something is worse needs p < 5% after Holm's correction over n, as in the result's own table: it is
made wrongly in at most 2.5% of runs, since only one side of the test is bad news. That a gain falls has two such tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from vpbench.stats.bootstrap import Difference, holm
from vpbench.stats.diagnosis.headline import Headline, interval, points
from vpbench.terminal import p_value

LEVEL = 0.05
WIDE_HALF_INTERVAL = 0.01


def worse_than(headline: Headline, control: Literal["random", "vote"]) -> list[str]:
    """The critic's largest loss against a control, of those at n = 2 and more that are clear of noise."""
    columns = headline.columns
    differences = headline.gains(control, columns) if columns else []
    if not differences:
        return []
    p_holm = holm([difference.p_value for difference in differences])
    losses = [
        (difference.value, headline.ns[column], difference, p)
        for column, difference, p in zip(columns, differences, p_holm, strict=True)
        if difference.value < 0 and p < LEVEL
    ]
    if not losses:
        return []
    _, n, worst, p = min(losses, key=lambda loss: loss[0])
    name, remedy = {
        "random": ("a random pick", "its scores prefer wrong responses; is a lower score the better one?"),
        "vote": ("the majority vote", "which needs no critic; try selection `weighted-vote`, or vote"),
    }[control]
    return [f"worse than {name}: {interval(worst)} at n = {n}, p (Holm) {p_value(p)}; {remedy}"]


def falls(headline: Headline) -> list[str]:
    """Over-optimisation: a gain over the random pick that has a peak above 0 and is lower at the largest n."""
    # The gain, not the critic's own curve: under `prefix` the pool itself may get worse from candidate to candidate.
    columns = headline.columns
    gain = (headline.critic - headline.random)[:, columns]
    peak = int(np.argmax(gain.mean(axis=0))) if columns else -1
    if peak in (-1, len(columns) - 1) or gain[:, peak].mean() <= 0:
        return []
    # Holm over all n, because the peak is the highest of them, of a flat curve too; that costs most where the columns
    # go together. The mean of all smaller n is one test, but hides a late peak. A fall is one side of either test, so
    # the smaller p of the two is one of at most 5%.
    before = gain[:, :-1]
    compared = np.column_stack([before, before.mean(axis=1)])
    *differences, from_mean = headline.differences(np.repeat(gain[:, -1:], compared.shape[1], axis=1), compared)
    fall, p = differences[peak], holm([difference.p_value for difference in differences])[peak]
    if from_mean.value < 0:
        p = min(p, from_mean.p_value)
    if fall.value >= 0 or p >= LEVEL:
        return []
    top, last = headline.ns[columns[peak]], headline.ns[columns[-1]]
    return [
        f"falls with n: the gain over a random pick is {points(gain[:, peak].mean())} points at n = {top} and "
        f"{points(gain[:, -1].mean())} at n = {last}, a difference of {interval(fall)}, p {p_value(p)} "
        "(one-sided, of all n together): among more candidates the critic finds more wrong ones to its taste "
        "(over-optimisation)"
    ]


def inconclusive(headline: Headline) -> list[str]:
    """An interval of the gain at the largest n that holds 0 and is wider than a point to either side."""
    last = headline.columns[-1:]
    if not last:
        return []
    (gain,) = headline.gains("random", last)
    if not gain.low <= 0 <= gain.high or (gain.high - gain.low) / 2 <= WIDE_HALF_INTERVAL:
        return []
    return [
        f"interval too wide to conclude: at n = {headline.ns[last[0]]} the gain over a random pick is "
        f"{interval(gain)} over {len(headline.critic)} units, noise or not can't be told"
    ]


def outcome_above_process(ns: Sequence[int], differences: Sequence[Difference], p_holm: Sequence[float]) -> list[str]:
    """A statement on two results: a critic of outcomes picks better than one of steps at the largest n.

    `differences` are outcome critic less process critic at each n, `p_holm` corrected over them.
    """
    column = int(np.argmax(ns))
    difference, p = differences[column], p_holm[column]
    if ns[column] < 2 or difference.value <= 0 or p >= LEVEL:
        return []
    return [
        f"outcome critic above process critic: {interval(difference)} at n = {ns[column]}, p (Holm) {p_value(p)}; look "
        "at how the process critic's responses are split into steps and how step scores become one (--aggregate)"
    ]
