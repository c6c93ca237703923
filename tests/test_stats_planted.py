"""Critics of known strength on real verdicts: their known gain comes back, within intervals that hold it.

Worlds and critics are those of `benchmarks/planted.py`, which has more of them. Rates may miss their bounds by three of
their Monte-Carlo errors. At 69% of the questions all answers are right or all wrong, so few questions leave few to
choose at: of 20 and 64 only the lower bound is asked for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import load_benchmark
from click.testing import CliRunner
from scipy.special import ndtr
from shared_data import compared, shared_files

import vpbench
from vpbench.cli import main

planted = load_benchmark("planted")


@pytest.fixture(scope="module")
def correct() -> Any:
    """The verdicts [500, 32] that ship."""
    return planted.read_verdicts(planted.VERDICTS)


def test_the_shipped_verdicts_are_those_of_all_published_files(correct: Any) -> None:
    published = [planted.read_verdicts(path) for path in shared_files("conformance/bon_stepscores/*.jsonl.gz")]
    assert correct.shape == (500, 32) and all(np.array_equal(verdicts, correct) for verdicts in published)
    compared("rows", "planted critics' verdicts", len(correct))


def held(rates: Any, worlds: int, upper: float) -> bool:
    slack = 3 * planted.monte_carlo_error(worlds)
    return bool(np.all((np.asarray(rates) >= 0.93 - slack) & (np.asarray(rates) <= upper + slack)))


def test_the_truth_where_it_can_be_written_down() -> None:
    for strength in (-1.0, 0.0, 0.7):
        assert planted.best_is_correct(2, strength, 0.0) == pytest.approx([0, ndtr(strength / 2**0.5), 1], abs=1e-12)
        # Grades of 100 are 0 whatever the strength, so that all candidates are tied.
        assert planted.best_is_correct(5, strength, 100.0) == pytest.approx([j / 5 for j in range(6)], abs=1e-12)
    right = np.zeros((1, 32), dtype=bool)
    right[0, :8] = True
    curve = planted.known_curve(planted.Critic(50.0), right)[0]
    assert curve[0] == pytest.approx(1 - 24 * 23 / (32 * 31)) and curve[-1] == pytest.approx(1.0)
    # Of two answers, what noise they have in common with others of their kind is noise like the rest.
    curves = [planted.known_curve(planted.Critic(1.0, common=common), right)[0] for common in (0.0, 0.6)]
    assert curves[0][0] == pytest.approx(curves[1][0], abs=1e-9) and curves[0][-1] > curves[1][-1] + 0.01


@pytest.mark.parametrize("name", planted.CRITICS)
def test_the_known_gain_comes_back(name: str, correct: Any) -> None:
    critic = planted.CRITICS[name]
    gains, errors = planted.returned_gains(critic, correct, 12, np.random.default_rng(1))
    assert np.all(errors < 0.003)
    assert np.all(np.abs(gains - (planted.known_means(critic, correct) - correct.mean())) < 3 * errors)


@pytest.mark.parametrize(
    ("name", "units", "worlds"),
    [
        ("chance", 500, 100),
        ("strong", 500, 100),
        ("likes a question's mistake", 64, 300),
        ("prefers wrong answers", 64, 300),
        ("weak", 20, 400),
    ],
)
def test_intervals_hold_accuracy_and_gain(name: str, units: int, worlds: int, correct: Any) -> None:
    rates = planted.gain_rates(planted.CRITICS[name], correct, units, worlds, np.random.default_rng(2))
    upper = 0.97 if units == 500 else 1.0
    assert held(rates.accuracy, worlds, upper) and held(rates.difference, worlds, upper), rates
    assert np.all(np.abs(rates.off) < 3), rates
    if name == "chance":
        assert rates.any_p <= 0.055 + 3 * planted.monte_carlo_error(worlds)
        assert np.all(rates.small_p <= 0.055 + 3 * planted.monte_carlo_error(worlds))


@pytest.mark.parametrize(("units", "worlds"), [(64, 300), (500, 80)])
def test_intervals_hold_the_distance_of_two(units: int, worlds: int, correct: Any) -> None:
    pair = (planted.Critic(1.0), planted.Critic(1.5))
    rates = planted.difference_rates(pair, 0.9, correct, units, worlds, np.random.default_rng(3))
    assert held(rates.difference, worlds, 0.97 if units == 500 else 1.0), rates
    assert np.all(np.abs(rates.off) < 3), rates


def test_checks_find_planted_losses_and_no_others(correct: Any) -> None:
    rng, critic, worlds = np.random.default_rng(4), planted.Critic(1.5), 120
    none, loss = (
        planted.alarms(planted.checks((critic, other), 0.9, correct, 64, worlds, rng)).regressed
        for other in (critic, planted.weaker(critic, 0.04, 8, correct))
    )
    assert none <= 0.025 + 3 * planted.monte_carlo_error(worlds, 0.025)
    assert loss >= 0.8


def test_a_whole_run_and_check_say_the_same(tmp_path: Path, correct: Any) -> None:
    """What runs and `check` make of planted scores in files is what the worlds above are made of."""
    critic, verdicts = planted.Critic(1.5), correct[:150]
    normal = planted.noise(verdicts.shape[:1], verdicts.shape[1], np.random.default_rng(5))
    folders = []
    for name, other in {"before": critic, "after": planted.weaker(critic, 0.06, 8, correct)}.items():
        pool = tmp_path / f"{name}.jsonl"
        with pool.open("w") as out:
            for number, row in enumerate(zip(verdicts.tolist(), other.scores(verdicts, normal).tolist(), strict=True)):
                candidates = [
                    {"response": "not given", "extraction": None, "correct": right, "score": score}
                    for right, score in zip(*row, strict=True)
                ]
                fields = {"question_id": str(number), "question": "not given", "answer": "not given"}
                out.write(json.dumps({**fields, "candidates": candidates}) + "\n")
        (done,) = vpbench.run(
            "gsm8k",
            pool=tmp_path / "before.jsonl",
            scores=pool,
            trust_verdicts=True,
            n=planted.NS,
            resamples=200,
            output=tmp_path / name,
        )
        folders.append(done.folder)
        values = planted.returned_curve(other, verdicts, normal)
        gains = done.result.gains["over_random"]
        assert [gain.value for gain in gains] == pytest.approx((values.mean(axis=0) - verdicts.mean()).tolist())
    worse = CliRunner().invoke(main, ["check", *map(str, folders)])
    better = CliRunner().invoke(main, ["check", *map(str, reversed(folders))])
    assert (worse.exit_code, better.exit_code) == (1, 0), worse.output + better.output
    assert worse.output.rstrip().endswith("regressed") and better.output.rstrip().endswith("held")
