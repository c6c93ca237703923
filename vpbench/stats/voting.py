"""What the most frequent answer of n candidates is worth, averaged over all n-subsets of one pool, exactly.

A class of c candidates reaches j votes in C(c, j) ways. It then wins if no other class has more, and with probability
1/(1+t) if t others have j too. The other classes' ways, by candidates used (power of x) and ties (power of y), are the
product of sum_{m<j} C(c_i, m) x^m + y C(c_i, j) x^j; integrating over y from 0 to 1 turns y^t into 1/(1+t), which
Gauss-Legendre nodes do exactly. Candidates without an answer are (1+x) each. All terms are positive, so nothing
cancels and float64 is exact to rounding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@lru_cache(maxsize=4096)
def _binomials(size: int) -> Array:
    return np.array([float(comb(size, m)) for m in range(size + 1)])


@lru_cache(maxsize=512)
def _unit_nodes(degree: int) -> tuple[Array, Array]:
    """Nodes and weights on [0, 1] that integrate polynomials up to `degree` exactly."""
    nodes, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    return (nodes + 1.0) / 2.0, weights / 2.0


def _times(a: Array, b: Array, length: int) -> Array:
    """Row-wise product of two batches of polynomials [nodes, degree+1], cut to `length` coefficients."""
    if a.shape[1] < b.shape[1]:
        a, b = b, a
    # Whichever is the shorter loop: over the nodes, or over the coefficients of the shorter polynomial.
    if len(a) < b.shape[1]:
        return np.array([np.convolve(p, q)[:length] for p, q in zip(a, b, strict=True)])
    out = np.zeros((len(a), min(length, a.shape[1] + b.shape[1] - 1)))
    for power in range(min(b.shape[1], out.shape[1])):
        part = a[:, : out.shape[1] - power]
        out[:, power : power + part.shape[1]] += b[:, power : power + 1] * part
    return out


def _power(base: Array, exponent: int, length: int) -> Array:
    result: Array | None = None
    while exponent > 1:
        if exponent & 1:
            result = base if result is None else _times(result, base, length)
        exponent >>= 1
        base = _times(base, base, length)
    return base if result is None else _times(result, base, length)


def _others_at_most(rivals: Counter[int], votes: int, free: int, length: int) -> Array:
    """Ways for the others to use 0, 1, ... (below `length`) candidates, no class above `votes`, ties at 1/(1+ties)."""
    level = {size: many for size, many in rivals.items() if size >= votes}
    free += sum(size * many for size, many in rivals.items() if size < votes)
    if not level:
        return _binomials(free)[:length]
    nodes, weights = _unit_nodes(sum(level.values()))
    product = np.ones((len(nodes), 1))
    for size, many in level.items():
        factor = np.repeat(_binomials(size)[None, : votes + 1], len(nodes), axis=0)
        factor[:, votes] *= nodes
        product = _times(product, _power(factor, many, length), length)
    return np.convolve(weights @ product, _binomials(free))[:length]


@lru_cache(maxsize=8192)
def win_probability(size: int, others: tuple[int, ...], silent: int) -> Array:
    """[T]: probability that a class of `size` wins the vote of n, against classes of sizes `others` (sorted).

    `silent` candidates have no answer. T = size + sum(others) + silent. Ties are broken uniformly.
    """
    total = size + sum(others) + silent
    rivals = Counter(others)
    ways = np.zeros(total + 1)
    for votes in range(1, size + 1):
        others_ways = _others_at_most(rivals, votes, silent, total - votes + 1)
        ways[votes : votes + len(others_ways)] += _binomials(size)[votes] * others_ways
    result = ways[1:] / _binomials(total)[1:]
    result.setflags(write=False)
    return result


def class_worths(classes: Sequence[str | None], correct: Sequence[bool] | BoolArray) -> dict[str, tuple[int, float]]:
    """Votes and mean correctness of every answer class; candidates of class None are left out."""
    if len(classes) != len(correct):
        raise ValueError(f"{len(classes)} answer classes for {len(correct)} candidates")
    right: dict[str, list[float]] = {}
    for name, value in zip(classes, correct, strict=True):
        if name is not None:
            right.setdefault(name, []).append(float(value))
    return {name: (len(values), sum(values) / len(values)) for name, values in right.items()}


def expected_vote(classes: Sequence[str | None], correct: Sequence[bool] | BoolArray) -> Array:
    """[T]: expected correctness of the majority vote of n random candidates; ties are broken uniformly.

    A candidate of class None doesn't vote but takes its place in the subset; a subset without votes is wrong. The
    winner's worth is the mean correctness of its class. Pools up to about a thousand candidates: beyond that binomial
    coefficients leave the range of float64. Raises `ValueError` where classes and candidates differ in number.
    """
    worths = class_worths(classes, correct)
    sizes = sorted(size for size, _ in worths.values())
    worth_by_size = dict.fromkeys(sizes, 0.0)
    for size, worth in worths.values():
        worth_by_size[size] += worth
    result = np.zeros(len(classes))
    for size, worth in worth_by_size.items():
        if worth > 0:
            others = sizes.copy()
            others.remove(size)
            result += worth * win_probability(size, tuple(others), len(classes) - sum(sizes))
    return result
