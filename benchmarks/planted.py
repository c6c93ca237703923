"""Critics of known strength on real verdicts: does the harness return what they are known to gain, and how surely?

The verdicts are those of 32 answers to each of 500 GSM8K questions. A planted critic's scores are its strength for a
correct answer plus normal noise, so that its expected curve is an integral, solved here without any of vpbench's code.
Every world draws questions with replacement and fresh noise. One core, about seven minutes; `--quick` about one.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import hypergeom, norm
from tabulate import tabulate

from vpbench import stats
from vpbench.report.differences import Differences
from vpbench.stats.bootstrap import NO_DIFFERENCE
from vpbench.stats.random_scores import random_scores_p, variance_of_dealt_scores

Array = NDArray[np.float64]
Verdicts = NDArray[np.bool_]
Random = np.random.Generator

NS = (2, 4, 8, 16, 32)
LABELS = ("N = 1", *(f"N = {n}" for n in NS))
COLUMNS = np.array(NS) - 1
UNITS = (20, 64, 500)
LEVEL = 0.95
RESAMPLES = 2_000
AT_ONCE = 200
"""Worlds that share their resamples' draws."""
VERDICTS = Path(__file__).resolve().parents[1] / "results" / "real" / "strictprmbench-gsm8k.jsonl.gz"


def read_verdicts(file: Path) -> Verdicts:
    """[questions, candidates] of a file of step scores (JSON lines, gzip)."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return np.array([[candidate["correct"] for candidate in json.loads(line)["candidates"]] for line in lines])


@dataclass(frozen=True)
class Critic:
    """Scores are strength x correct + noise of variance 1.

    `common`: the share of the noise's variance that all correct answers to a question have in common, as have all wrong
    ones: the critic takes to a question's frequent mistake, or doesn't. `hardship`: the share of the strength that is
    lost where no answer is correct, and by as much less as more are; 2 turns the critic round. `grade`: scores are
    rounded to its multiples, so that many are tied.
    """

    strength: float
    common: float = 0.0
    hardship: float = 0.0
    grade: float = 0.0

    def strengths(self, share: Array) -> Array:
        """The strength on questions of which a `share` of the answers is correct."""
        return self.strength * (1 - self.hardship * (1 - share))

    def scores(self, correct: Verdicts, normal: Array) -> Array:
        """Of answers [..., T] and independent normals [..., T + 2]: one each, the wrong ones', the correct ones'."""
        shared = np.where(correct, normal[..., -1:], normal[..., -2:-1])
        noise = np.sqrt(1 - self.common) * normal[..., :-2] + np.sqrt(self.common) * shared
        scores: Array = self.strengths(correct.mean(axis=-1, keepdims=True)) * correct + noise
        return np.round(scores / self.grade) * self.grade if self.grade else scores


CRITICS = {
    "chance": Critic(0.0),
    "weak": Critic(0.5),
    "strong": Critic(2.0),
    "five grades": Critic(1.0, grade=1.0),
    "likes a question's mistake": Critic(1.0, common=0.6),
    "weaker where most are wrong": Critic(2.0, hardship=1.0),
    "misled where most are wrong": Critic(1.5, hardship=2.0),
    "prefers wrong answers": Critic(-1.0),
}


Pair = tuple[Critic, Critic]


@lru_cache(maxsize=4096)
def best_is_correct(n: int, shift: float, grade: float) -> Array:
    """[n + 1]: the probability that the highest of n scores is a correct one's, if 0 to n of them are.

    Wrong scores are standard normal, correct ones lie `shift` higher: the integral of j f1 F1^(j-1) F0^(n-j), by
    Gauss-Legendre on pieces. Ties are broken as if rounded scores were uniform around their grade.
    """
    width = grade or 0.5
    low, high = np.floor((min(shift, 0.0) - 9) / width), np.ceil((max(shift, 0.0) + 9) / width)
    edges = (np.arange(low, high + 1) - 0.5) * width
    points, weights = np.polynomial.legendre.leggauss(20)
    x = (edges[:-1, None] + (points + 1) / 2 * width).ravel()
    if grade:
        wrong, right = (np.interp(x, edges, ndtr(edges - by)) for by in (0.0, shift))
        density = np.repeat(np.diff(ndtr(edges - shift)) / width, len(points))
    else:
        wrong, right, density = ndtr(x), ndtr(x - shift), norm.pdf(x - shift)
    mass = density * np.tile(weights * width / 2, len(edges) - 1)
    j = np.arange(1, n + 1)[:, None]
    return np.concatenate([[0.0], (j * right ** (j - 1) * wrong ** (n - j)) @ mass])


def known_curve(critic: Critic, correct: Verdicts) -> Array:
    """[questions, len(NS)]: the expected correctness of the critic's pick, over n-subsets and noise."""
    size = correct.shape[1]
    z = np.linspace(-8.0, 8.0, 161) if critic.common else np.zeros(1)
    weights = norm.pdf(z) / norm.pdf(z).sum()
    rows = {}
    for count in np.unique(correct.sum(axis=1)):
        # What is common moves all correct answers against all wrong ones, and leaves less noise to each.
        moved = critic.strengths(count / size) + np.sqrt(2 * critic.common) * z
        shifts = (moved / np.sqrt(1 - critic.common)).tolist()
        rows[count] = [
            hypergeom.pmf(np.arange(n + 1), size, count, n)
            @ (weights @ [best_is_correct(n, shift, critic.grade) for shift in shifts])
            for n in NS
        ]
    return np.array([rows[count] for count in correct.sum(axis=1)])


def known_means(critic: Critic, correct: Verdicts) -> Array:
    """[len(NS)]: `known_curve`, averaged over the questions."""
    return known_curve(critic, correct).mean(axis=0)


def weaker(critic: Critic, loss: float, n: int, correct: Verdicts) -> Critic | None:
    """The critic with as much less strength as loses `loss` (a fraction of 1) at `n`; None where none loses so much."""
    column = NS.index(n)
    goal = known_means(critic, correct)[column] - loss

    def above(strength: float) -> float:
        return float(known_means(replace(critic, strength=strength), correct)[column] - goal)

    least = -8.0
    return None if above(least) > 0 else replace(critic, strength=float(brentq(above, least, critic.strength)))


def returned_curve(critic: Critic, correct: Verdicts, normal: Array) -> Array:
    """[..., len(NS)]: what the harness makes of the critic's scores of answers [..., T]."""
    size = correct.shape[-1]
    rows = zip(critic.scores(correct, normal).reshape(-1, size), correct.reshape(-1, size), strict=True)
    values = np.array([stats.expected_best(scores, verdicts)[COLUMNS] for scores, verdicts in rows])
    return values.reshape(*correct.shape[:-1], len(NS))


def noise(shape: tuple[int, ...], size: int, rng: Random) -> Array:
    """Normals as `Critic.scores` takes them."""
    return rng.normal(size=(*shape, size + 2))


def batches(worlds: int) -> Iterator[tuple[int, int]]:
    """(seed of the resamples, number of worlds) until there are `worlds`."""
    for seed, start in enumerate(range(0, worlds, AT_ONCE)):
        yield seed, min(AT_ONCE, worlds - start)


def pools_of(correct: Verdicts, scores: Array | None = None) -> list[stats.QuestionPool]:
    rows = zip(correct, [None] * len(correct) if scores is None else scores, strict=True)
    return [stats.QuestionPool("", verdicts, (None,) * len(verdicts), row) for verdicts, row in rows]


def returned_gains(critic: Critic, correct: Verdicts, draws: int, rng: Random) -> tuple[Array, Array]:
    """Gain over a random pick [len(NS)] on all the questions, and the Monte-Carlo error of so many draws of scores."""
    known = known_curve(critic, correct)
    gains, squares = np.zeros(len(NS)), np.zeros(len(NS))
    for _ in range(draws):
        scores = critic.scores(correct, noise(correct.shape[:1], correct.shape[1], rng))
        curves = stats.curves(pools_of(correct, scores), ns=NS)
        assert curves.critic is not None
        gains += (curves.critic - curves.random).mean(axis=0) / draws
        squares += np.square(curves.critic - known).sum(axis=0)
    return gains, np.sqrt(squares) / (draws * len(correct))


@dataclass(frozen=True)
class Rates:
    """Of worlds, by N [len(NS)]: coverage of two figures, the mean's distance from the truth, how often p is small.

    `off` [len(NS)] is in Monte-Carlo errors of the second figure's mean over the worlds; `any_p` is the share of worlds
    in which some N has p (Holm) below 0.05.
    """

    accuracy: Array
    difference: Array
    off: Array
    small_p: Array
    any_p: float


def tabled(ends: tuple[Array, Array], rows: Sequence[stats.Difference]) -> Array:
    """[worlds, len(NS), 6]: ends of an accuracy and of a difference, the difference and its p."""
    differences = np.array([(row.low, row.high, row.value, row.p_value) for row in rows])
    return np.column_stack([*ends, differences]).reshape(-1, len(NS), 6)


def rates_of(tables: Sequence[Array], accuracy: Array, difference: Array) -> Rates:
    """The rates of worlds as `tabled`, in batches, given the truth [len(NS)] of both figures."""
    low, high, least, most, values, p_values = np.moveaxis(np.concatenate(tables), -1, 0)
    error = values.std(axis=0, ddof=1) / len(values) ** 0.5
    return Rates(
        accuracy=((low <= accuracy) & (accuracy <= high)).mean(axis=0),
        difference=((least <= difference) & (difference <= most)).mean(axis=0),
        off=(values.mean(axis=0) - difference) / error,
        small_p=(p_values < 1 - LEVEL).mean(axis=0),
        any_p=float(np.mean([min(stats.holm(row)) < 1 - LEVEL for row in p_values.tolist()])),
    )


def gain_rates(critic: Critic, correct: Verdicts, units: int, worlds: int, rng: Random) -> Rates:
    """Of the critic's accuracy and its gain over a random pick, with p as a result has it."""
    size = correct.shape[1]
    controls = stats.curves(pools_of(correct), ns=NS)
    dealt = np.array([variance_of_dealt_scores(np.arange(float(size)), row)[COLUMNS] for row in correct])
    truth = known_means(critic, correct)
    tables = []
    for seed, many in batches(worlds):
        pick = rng.integers(len(correct), size=(units, many))
        values = returned_curve(critic, correct[pick], noise(pick.shape, size, rng)).reshape(units, -1)
        kinds = (controls.random, controls.oracle, controls.worst)
        random, most, least = (curve[pick].reshape(units, -1) for curve in kinds)
        rows = stats.paired_differences(values, random, None, RESAMPLES, seed, ends=(most, least))
        table = tabled(stats.bootstrap_intervals(values, None, RESAMPLES, seed), rows)
        by_chance = random_scores_p((values - random).mean(axis=0), dealt[pick].reshape(units, -1))
        table[..., -1] = np.maximum(table[..., -1], by_chance.reshape(many, -1))
        tables.append(table)
    return rates_of(tables, truth, truth - correct.mean())


def difference_rates(pair: Pair, common: float, correct: Verdicts, units: int, worlds: int, rng: Random) -> Rates:
    """Of the second critic's accuracy, and the second minus the first; their noise is correlated by `common`."""
    first, second = (known_means(critic, correct) for critic in pair)
    tables = []
    for seed, many in batches(worlds):
        one, two = world_of_two(pair, common, correct, units, many, rng)
        rows = stats.paired_differences(two, one, None, RESAMPLES, seed)
        tables.append(tabled(stats.bootstrap_intervals(two, None, RESAMPLES, seed), rows))
    return rates_of(tables, second, second - first)


def world_of_two(pair: Pair, common: float, correct: Verdicts, units: int, worlds: int, rng: Random) -> list[Array]:
    """Values [units, worlds * len(NS)] of two critics on the same questions, their noise correlated by `common`."""
    pick = rng.integers(len(correct), size=(units, worlds))
    normal = noise(pick.shape, correct.shape[1], rng)
    other = common * normal + np.sqrt(1 - common**2) * rng.normal(size=normal.shape)
    parts = zip(pair, (normal, other), strict=True)
    return [returned_curve(critic, correct[pick], part).reshape(units, -1) for critic, part in parts]


@dataclass(frozen=True)
class Check(Differences):
    """What `check` sees of a world."""

    labels: tuple[str, ...]
    differences: tuple[stats.Difference, ...]
    alike: tuple[int, ...] = (0,)
    smallest_loss: float = 0.0


def checks(pair: Pair, common: float, correct: Verdicts, units: int, worlds: int, rng: Random) -> list[Check]:
    """A check of the second critic against the first in every world, over N = 1 and NS."""
    seen = []
    for seed, many in batches(worlds):
        one, two = world_of_two(pair, common, correct, units, many, rng)
        rows = stats.paired_differences(two, one, None, RESAMPLES, seed)
        for start in range(0, len(rows), len(NS)):
            seen.append(Check(LABELS, (NO_DIFFERENCE, *rows[start : start + len(NS)])))
    return seen


@dataclass(frozen=True)
class Alarms:
    """Over worlds: the share that regressed, and of what `check` prints the mean loss and the label most often named.

    `at_label` is the share whose loss at that label is significant.
    """

    regressed: float
    printed: float
    label: str
    at_label: float


def alarms(seen: Sequence[Check]) -> Alarms:
    printed = [min((loss, label) for loss, label in zip(c.detectable, c.labels, strict=True) if loss) for c in seen]
    label = Counter(name for _, name in printed).most_common(1)[0][0]
    at_label = np.mean([label in check.significant_losses for check in seen])
    regressed, loss = np.mean([check.regressed for check in seen]), np.mean([loss for loss, _ in printed])
    return Alarms(float(regressed), float(loss), label, float(at_label))


def claimed_loss(
    critic: Critic, common: float, correct: Verdicts, units: int, worlds: int, rng: Random
) -> tuple[Alarms, Alarms | None]:
    """What `check` prints as found in 4 of 5 cases, and the alarms once it is planted; None where it can't be."""
    printed = Alarms(0.0, 0.02, "N = 8", 0.0)
    # What is printed depends, a little, on the loss itself.
    for many in (*[max(worlds // 4, 20)] * 5, worlds):
        lesser = weaker(critic, printed.printed, int(printed.label.removeprefix("N = ")), correct)
        if lesser is None:
            return printed, None
        before, printed = printed, alarms(checks((critic, lesser), common, correct, units, many, rng))
    return before, printed


def monte_carlo_error(worlds: int, rate: float = LEVEL) -> float:
    return float(np.sqrt(rate * (1 - rate) / worlds))


def show(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"\n{title}\n\n{tabulate(rows, headers, floatfmt='.3f', missingval='-')}", flush=True)


def show_gains(correct: Verdicts, draws: int, rng: Random) -> None:
    rows = []
    for name, critic in CRITICS.items():
        known = known_means(critic, correct) - correct.mean()
        returned, error = returned_gains(critic, correct, draws, rng)
        cells = zip(100 * known, 100 * returned, (returned - known) / error, strict=True)
        rows.append([name, *(f"{truth:+.2f} {value:+.2f} ({off:+.1f})" for truth, value, off in cells)])
    show(f"gain in points: known, returned (in errors of {draws} draws)", ["critic", *LABELS[1:]], rows)


def show_rates(correct: Verdicts, worlds: int, rng: Random) -> None:
    rows, nulls = [], []
    for name, critic in CRITICS.items():
        for units in UNITS:
            rates = gain_rates(critic, correct, units, worlds, rng)
            rows.append([name, units, "accuracy", None, *rates.accuracy])
            rows.append([name, units, "gain", f"{np.abs(rates.off).max():.1f}", *rates.difference])
            if name == "chance":
                nulls.append(["chance - random", "", units, *rates.small_p, rates.any_p])
    for strengths in ((1.0, 1.0), (1.0, 1.5), (2.0, -1.0)):
        for common in (0.0, 0.9):
            for units in UNITS:
                pair = (Critic(strengths[0]), Critic(strengths[1]))
                rates = difference_rates(pair, common, correct, units, worlds, rng)
                name = f"{strengths[1]:g} - {strengths[0]:g}, noise alike {common:g}"
                rows.append([name, units, "difference", f"{np.abs(rates.off).max():.1f}", *rates.difference])
                if strengths[0] == strengths[1]:
                    nulls.append(["equal critics", common, units, *rates.small_p, rates.any_p])
    headers = ["critic", "questions", "of", "farthest mean", *LABELS[1:]]
    show(f"coverage (+-{monte_carlo_error(worlds):.3f}); mean over worlds in errors from the truth", headers, rows)
    headers = ["without any effect", "noise alike", "questions", *LABELS[1:], "any p (Holm)"]
    show(f"share of p below .05 (+-{monte_carlo_error(worlds):.3f})", headers, nulls)


def show_checks(correct: Verdicts, worlds: int, rng: Random) -> None:
    rows, claims, base = [], [], Critic(1.5)
    for units in UNITS:
        for common in (0.0, 0.9):
            shares = []
            for loss in (0.0, 0.01, 0.02, 0.04):
                lesser = weaker(base, loss, 8, correct)
                assert lesser is not None
                shares.append(alarms(checks((base, lesser), common, correct, units, worlds, rng)).regressed)
            rows.append([units, common, *shares])
            planted, seen = claimed_loss(base, common, correct, units, worlds, rng)
            outcome = [100 * seen.printed, seen.at_label, seen.regressed] if seen else [None] * 3
            claims.append([units, common, 100 * planted.printed, planted.label, *outcome])
    error, pair = monte_carlo_error(worlds, 0.8), ["questions", "noise alike"]
    headers = [*pair, *(f"loss {loss}" for loss in (0, 1, 2, 4))]
    show(f"share of checks that regressed, by loss in points at N = 8 (+-{error:.3f} at most)", headers, rows)
    headers = [*pair, "planted", "at", "printed", "found there", "regressed"]
    show(f"the loss said to be found in 4 of 5 cases, planted; -: none loses so much (+-{error:.3f})", headers, claims)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the worlds")
    quick = parser.parse_args().quick
    correct = read_verdicts(VERDICTS)
    worlds, rng = 100 if quick else 1_000, np.random.default_rng(13)
    movable = stats.distinct_answers(pools_of(correct)).mixed
    print(f"{len(correct)} questions, {correct.mean():.4f} correct; a critic can choose at {movable} of them")
    show_gains(correct, 10 if quick else 100, rng)
    show_rates(correct, worlds, rng)
    show_checks(correct, worlds // 2, rng)


if __name__ == "__main__":
    main()
