"""Print what stacks of four published reward models are worth beside the best one, and what depends on how one looks.

    python scripts/stacking.py              prints the tables of docs/stacking.md, from results/real alone, in seconds
    python scripts/stacking.py --write      puts them into the page; a test fails while page and script differ

A stack is a logistic regression on aggregations of every model's step scores. It is fitted ten times, each time on
nine tenths of the problems, and scores the others. All six designs that were tried are shown.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vpbench.pools.pool import read_pool
from vpbench.pools.scores import read_scores
from vpbench.run.study_file import read_study
from vpbench.stats import Difference, QuestionPool, aggregate, bootstrap_intervals, curves, holm, paired_differences
from vpbench.terminal import interval, markdown_table, p_value, percent, points

Array = NDArray[np.float64]
PAGE = Path(__file__).resolve().parent.parent / "docs" / "stacking.md"
START, END = "<!-- printed by scripts/stacking.py: start -->", "<!-- printed by scripts/stacking.py: end -->"
NS, SHOWN = (2, 4, 8, 16, 32), (8, 32)
WAYS = ("mean", "min", "max", "last", "product", "geometric-mean")
COMPARED = ("mean", "min", "last", "product")
THREE = ("mean", "min", "last")
DESIGNS = {
    "stack of scores": (THREE, False, False),
    "stack of scores, six aggregations": (WAYS, False, False),
    "stack of scores, less the problem's mean": (THREE, False, True),
    "stack of log-odds": (THREE, True, False),
    "stack of log-odds, six aggregations": (WAYS, True, False),
    "stack of log-odds, less the problem's mean": (THREE, True, True),
}
"""The aggregations; whether scores become log-odds, which a logistic regression adds up; and whether only differences
within a problem are seen, as Best-of-N only compares candidates of one problem."""
BEST_SINGLE = "Qwen2.5-Math-PRM-7B, last"
"""The best at N = 32 of the 24 pairs of model and aggregation, on these very problems."""


class Data:
    """Verdicts [Q, 32], step scores by model, and the values [Q, 32] of every rival by name."""

    def __init__(self) -> None:
        study = read_study("real-critics")
        pool = read_pool(study["pool"])
        self.ids = list(pool.rows)
        self.correct = np.array([[bool(r.verdict and r.verdict.correct) for r in rows] for rows in pool.rows.values()])
        self.steps = {row.name: self._steps(row.scores) for row in study["critic"]}
        self.authors = {row.name: row.analysis["aggregate"] for row in study["critic"]}

    def _steps(self, path: Path) -> list[list[tuple[float, ...]]]:
        scores = read_scores(path).scores
        return [[scores[id, k].steps or () for k in range(self.correct.shape[1])] for id in self.ids]

    def values(self, model: str, way: str) -> Array:
        """[Q, 32]: the model's step scores as one."""
        return np.array([[aggregate(steps, way) for steps in rows] for rows in self.steps[model]])

    def stacked(self, ways: Sequence[str], log_odds: bool, within: bool) -> Array:
        """[Q, 32]: a cross-fitted stack."""
        features = np.stack([self.values(model, way) for model in self.steps for way in ways], axis=-1)
        if log_odds:
            chances = np.clip(features, 1e-4, 1 - 1e-4)
            features = np.log(chances / (1 - chances))
        if within:
            features = features - features.mean(axis=1, keepdims=True)
        rows, problems = features.reshape(-1, features.shape[-1]), np.repeat(np.arange(len(self.ids)), 32)
        fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        right = self.correct.ravel()
        stacked = cross_val_predict(fitted, rows, right, groups=problems, cv=GroupKFold(10), method="predict_proba")
        return np.asarray(stacked[:, 1]).reshape(self.correct.shape)

    def singles(self) -> dict[str, Array]:
        """What a stack has to beat, the best single one first."""
        authors = {f"{model}, {way}": self.values(model, way) for model, way in self.authors.items()}
        standard = [(values - values.mean()) / values.std() for values in authors.values()]
        (first, *_) = self.steps.values()
        return {
            BEST_SINGLE: self.values(*BEST_SINGLE.split(", ")),
            "mean of the four, not fitted": np.mean(standard, axis=0),
            **authors,
            "fewest steps": -np.array([[float(len(steps)) for steps in rows] for rows in first]),
        }

    def picked(self, values: Array, exact: bool = True) -> Array:
        """[Q, NS]: how often the candidate of the highest value is right."""
        pools = [
            QuestionPool(id, correct, (None,) * len(correct), scores)
            for id, correct, scores in zip(self.ids, self.correct, values, strict=True)
        ]
        critic = curves(pools, "best", "expected" if exact else "prefix", NS).critic
        assert critic is not None
        return critic

    def random(self) -> Array:
        """[Q, NS]: a pick by chance."""
        return np.repeat(self.correct.mean(axis=1, keepdims=True), len(NS), axis=1)


def stack_tables(data: Data) -> list[str]:
    """Stacks and single models: accuracy, and what each is above the best single one, by both estimators."""
    stacks = {name: data.stacked(*design) for name, design in DESIGNS.items()}
    values = {**stacks, **data.singles()}
    exact = {name: data.picked(scores) for name, scores in values.items()} | {"a coin (random pick)": data.random()}
    first = {name: data.picked(scores, exact=False) for name, scores in values.items()}
    accuracy = markdown_table(
        [[name, *_accuracies(picked)] for name, picked in exact.items()],
        ["picked by", *(f"right at N = {n} %" for n in SHOWN)],
    )
    rows = [
        [name, *(cell for cells in sides for cell in cells)]
        for family in (list(stacks), [name for name in first if name not in (*stacks, BEST_SINGLE)])
        for name, *sides in zip(family, *(_over_best(picked, family) for picked in (exact, first)), strict=True)
    ]
    headers = [f"{how}, N = {n}" for how in ("all subsets", "first n") for n in SHOWN]
    return [accuracy, markdown_table(rows, [f"minus {BEST_SINGLE}", *headers])]


def _over_best(picked: Mapping[str, Array], family: Sequence[str]) -> list[list[str]]:
    """By name what it is above the best single one, with interval and p, corrected (Holm) over the family and all N."""
    differences = [paired_differences(picked[name], picked[BEST_SINGLE]) for name in family]
    adjusted = iter(holm([row.p_value for rows in differences for row in rows]))
    corrected = [[(row, next(adjusted)) for row in rows] for rows in differences]
    return [
        [f"{_difference(row)}, p {p_value(p)}" for row, p in (rows[NS.index(n)] for n in SHOWN)] for rows in corrected
    ]


def _difference(row: Difference) -> str:
    return f"{points(row.value)} ({interval(row.low, row.high)})"


def _accuracies(values: Array) -> list[str]:
    low, high = bootstrap_intervals(values)
    means = values.mean(axis=0)
    at = [NS.index(n) for n in SHOWN]
    return [f"{percent(means[k])} ({percent(low[k])} .. {percent(high[k])})" for k in at]


def aggregation_tables(data: Data) -> list[str]:
    """Every model under every aggregation at N = 32; how many pairs of models are told apart under each."""
    last = len(NS) - 1
    by_way = {way: {model: data.picked(data.values(model, way)) for model in data.steps} for way in WAYS}
    rows = [[way, *(_accuracies(values)[-1] for values in models.values())] for way, models in by_way.items()]
    table = markdown_table(rows, ["step scores to one by", *data.steps])
    verdicts = []
    for way in COMPARED:
        ranked = sorted(by_way[way], key=lambda model: -by_way[way][model][:, last].mean())
        apart = _told_apart({model: by_way[way][model][:, [last]] for model in ranked})
        verdicts.append([way, " > ".join(ranked), ", ".join(apart) or "none"])
    return [table, markdown_table(verdicts, ["by", "order at N = 32", "told apart (Holm over six pairs)"])]


def _told_apart(models: Mapping[str, Array]) -> list[str]:
    pairs = list(combinations(models, 2))
    differences = [paired_differences(models[a], models[b])[0] for a, b in pairs]
    adjusted = holm([difference.p_value for difference in differences])
    return [f"{a} > {b}" for (a, b), p in zip(pairs, adjusted, strict=True) if p < 0.05]


def estimator_table(data: Data) -> str:
    """Every pair of models at N = 8, by mean step score: the interval from all subsets and from the first n."""
    k = NS.index(8)
    both = {
        model: [data.picked(data.values(model, "mean"), exact)[:, [k]] for exact in (True, False)]
        for model in data.steps
    }
    rows = []
    for a, b in combinations(both, 2):
        exact, first = (paired_differences(*sides)[0] for sides in zip(both[a], both[b], strict=True))
        ratio = (first.high - first.low) / (exact.high - exact.low)
        shown = [f"{_difference(row)}, p {p_value(row.p_value)}" for row in (exact, first)]
        rows.append([f"{a} - {b}", *shown, f"{ratio**2:.1f}"])
    headers = ["N = 8, mean step score", "all subsets", "first n", "problems needed for it by first n, times"]
    return markdown_table(rows, headers)


def page() -> str:
    """All tables."""
    data = Data()
    return "\n\n".join([*stack_tables(data), estimator_table(data), *aggregation_tables(data)])


if __name__ == "__main__":
    printed = page()
    print(printed)
    if "--write" in sys.argv:
        text = PAGE.read_text(encoding="utf-8")
        head, tail = text[: text.index(START) + len(START)], text[text.index(END) :]
        PAGE.write_text(f"{head}\n\n{printed}\n\n{tail}", encoding="utf-8")
