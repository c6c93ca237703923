"""What finds wrong steps without reading them as reasoning: constants, place, length, words, the base's likelihood.

Fitted controls are logistic regressions, fitted on the training rows of the critic, or across five folds of the tested
questions, which sees the tested distribution and flatters the control. Thresholds are the best in macro-F1 on the rows
that the critics' come from; for the crossed ones on the folds that they are fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from figures import Array, Figure, Measure, Scorer, Solution, mean_of
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from vpbench.models.text import load_text_model
from vpbench.scoring.label_logits import StepPrompt
from vpbench.scoring.likelihood import read_log_probs
from vpbench.scoring.shared_prefix import engine_for
from vpbench.stats.step_threshold import best_threshold, deal_folds

FOLDS, COINS = 5, 20

Features = Callable[[Measure], Any]


def texts(steps: Measure) -> list[str]:
    """The texts of labelled steps."""
    return [steps.solutions[row].steps[at] for row, at in zip(steps.row, steps.position, strict=True)]


def place(steps: Measure) -> Any:
    """Number of the step, in tens, and its logarithm; not that of all steps, which tells where the labels end."""
    return csr_matrix(np.stack([steps.position / 10, np.log1p(steps.position)], axis=1))


def length(steps: Measure) -> Any:
    """Characters of the step, in hundreds, and their logarithm."""
    return csr_matrix(np.stack([steps.length / 100, np.log1p(steps.length)], axis=1))


def fitted(trained: Measure, tuned: Measure, tested: Measure) -> list[Scorer]:
    """Controls fitted on the training rows, and those across folds of the tested rows."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(texts(trained))
    kinds: dict[str, list[Features]] = {
        "length": [length],
        "position": [place],
        "bag of words": [lambda steps: words.transform(texts(steps))],
    }
    kinds["words, position, length"] = [kinds["bag of words"][0], place, length]
    scorers = []
    for name, features in kinds.items():
        model = _model().fit(_together(features, trained), trained.truth)
        tuning, testing = (model.predict_proba(_together(features, steps))[:, 1] for steps in (tuned, tested))
        scorers.append(Scorer(name, testing, best_threshold(tuned.truth, tuning)))
    for name, features in (
        ("position, fitted on the test", [place]),
        ("position and length, fitted on the test", [place, length]),
    ):
        scorers.append(_crossed(name, _together(features, tested), tested))
    return scorers


def constants(tested: Measure, share: float) -> dict[str, dict[str, Figure]]:
    """Calling every step right, and a coin that calls a step right with probability `share`."""
    count, drawn = len(tested.truth), np.random.default_rng(0)
    coins = [tested.figures(Scorer("coin", drawn.random(count), 1 - share)) for _ in range(COINS)]
    return {"always right": tested.figures(Scorer("", np.ones(count), 0.5)), "coin, label share": mean_of(coins)}


def likelihoods(base: Path, tuned: Measure, tested: Measure) -> list[Scorer]:
    """The base's mean and least log-probability of a step's tokens, after the question and the steps before it."""
    checkpoint = load_text_model(str(base), device="cpu")
    engine = engine_for(checkpoint.model)

    def scored(steps: Measure) -> tuple[Array, Array]:
        values = [_step_log_probs(checkpoint, engine, solution) for solution in steps.solutions]
        parts = [values[row][at] for row, at in zip(steps.row, steps.position, strict=True)]
        return np.array([part.mean() for part in parts]), np.array([part.min() for part in parts])

    return [
        Scorer(name, testing, best_threshold(tuned.truth, tuning))
        for name, tuning, testing in zip(
            ("base's likelihood, mean", "base's likelihood, least"), scored(tuned), scored(tested), strict=True
        )
    ]


def _step_log_probs(checkpoint: Any, engine: Any, solution: Solution) -> list[Array]:
    """For every step up to the last labelled one the log-probabilities of its tokens."""
    encode = checkpoint.tokenizer.encode_plain
    ids, bounds = list(encode(solution.text + "\n")), []
    for step, label in zip(solution.steps, solution.labels, strict=True):
        if not label:
            break
        start = len(ids)
        ids += encode(step + "\n")
        bounds.append((start, len(ids)))
    first = bounds[0][0]
    prompt = StepPrompt((), "", tuple(ids), tuple(range(first - 1, len(ids) - 1)))
    (values,) = read_log_probs(engine, checkpoint.model, [prompt], None, checkpoint.image_token_id)
    return [values[start - first : end - first].numpy() for start, end in bounds]


def _model() -> Any:
    return LogisticRegression(max_iter=2000)


def _together(features: Sequence[Features], steps: Measure) -> Any:
    return hstack([feature(steps) for feature in features]).tocsr()


def _crossed(name: str, features: Any, tested: Measure) -> Scorer:
    fold = deal_folds([solution.question for solution in tested.solutions], FOLDS, 0)[tested.row]
    scores, thresholds = np.empty(len(fold)), np.empty(len(fold))
    for number in range(FOLDS):
        judged = fold == number
        model = _model().fit(features[~judged], tested.truth[~judged])
        scores[judged] = model.predict_proba(features[judged])[:, 1]
        thresholds[judged] = best_threshold(tested.truth[~judged], model.predict_proba(features[~judged])[:, 1])
    return Scorer(name, scores, thresholds)
