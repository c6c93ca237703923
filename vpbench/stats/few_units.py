"""What changes where units are few: p-values come from a t-test, and the reader is told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

T_TEST_BELOW = 50
"""Units below which p comes from a t-test: the bootstrap's is too small there (0.13 to 0.67 of true nulls at 7)."""
TOO_FEW_BELOW = 20


def few_units_note(units: int) -> str | None:
    """What to say of a comparison on so many units (questions, or clusters of them); None from 50 on."""
    if units < TOO_FEW_BELOW:
        return f"{units} unit{'s' * (units != 1)}: too few to tell critics apart; p by t-test, intervals are rough"
    return f"{units} units: few, p by t-test" if units < T_TEST_BELOW else None


def t_test(sums: Array, sizes: Array) -> Array:
    """Two-sided p [K] of a paired t-test that the mean of units with `sums` [C, K] and `sizes` [C] is 0.

    p is at least 2^(1 - C), the smallest that flipping the signs of C units can give; 1 for a single unit.
    """
    from scipy.special import stdtr

    units = len(sums)
    mean, error = mean_and_error(sums, sizes)
    ratio = np.divide(np.abs(mean), error, out=np.where(mean == 0, 0.0, np.inf), where=error > 0)
    # Units that all differ by the same amount have a t without bounds; they prove no more than their number of signs.
    p_values: Array = np.clip(2 * stdtr(max(units - 1, 1), -ratio), 2.0 ** (1 - units), 1.0)
    return p_values


def t_interval(sums: Array, sizes: Array, level: float) -> tuple[Array, Array]:
    """(low [K], high [K]): what `t_test` doesn't reject at 1 - `level`, the smallest p aside."""
    from scipy.special import stdtrit

    mean, error = mean_and_error(sums, sizes)
    half = stdtrit(max(len(sums) - 1, 1), (1 + level) / 2) * error
    return mean - half, mean + half


def mean_and_error(sums: Array, sizes: Array) -> tuple[Array, Array]:
    """The mean [K], a ratio of sums, and its standard error with C - 1 degrees of freedom (Cochran 1977, 2.11)."""
    units, mean = len(sums), sums.sum(axis=0) / sizes.sum()
    squares = np.square(sums - mean * sizes[:, None]).sum(axis=0)
    return mean, np.sqrt(squares * units / max(units - 1, 1)) / sizes.sum()
