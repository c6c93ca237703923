"""How long the analysis of a study as large as the paper's takes: its overview, a comparison, a report, one result.

Seven tasks with their real numbers of questions and groups, eight critics, N = 1 ... 128, 10,000 resamples; all figures
are invented (seeded). CPU seconds and peak memory of fresh processes, median of three. Other checkouts of vpbench given
as arguments are measured on the same files in turn, and the ratio of the first of them to this one is told.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from vpbench.plugins import find_task, make_task
from vpbench.pools.pool import PoolRow
from vpbench.records import Candidate, Question, Score, Verdict
from vpbench.report.best_of_n import best_of_n_result
from vpbench.report.codec import as_json
from vpbench.report.measures import named_measures
from vpbench.report.result import BestOfNResult, Gain, Point
from vpbench.report.stored import read_result
from vpbench.report.units import CURVES, units_of, units_table
from vpbench.run.analysis import Analysis
from vpbench.run.prepared import Prepared, Scored
from vpbench.run.request import Request
from vpbench.stats import Curves
from vpbench.store import table_bytes

HERE = Path(__file__).resolve().parent.parent
NS = tuple(2**k for k in range(8))
PLAIN = {"mmmu": 900, "mathvista": 1000, "mathvision": 3040, "mathverse": 788, "logicvista": 447}
TASKS = ("mmmu", "mathvista", "mathvision", "mathverse", "dynamath", "wemath", "logicvista")
CRITICS = tuple(f"critic-{number}" for number in range(8))
LABELS = 12
"""Of every category that a task breaks its accuracy down by."""


def questions_of(name: str, rng: np.random.Generator) -> list[Question]:
    """The task's questions without texts: ids, groups and categories."""
    if name == "dynamath":
        ids = [(f"{seed}/{variant}", str(seed)) for seed in range(501) for variant in range(10)]
    elif name == "wemath":
        steps = [2] * 360 + [3] * 165
        parts = [(f"{k}steps_{part}", number) for number, k in enumerate(steps) for part in (*range(1, k + 1), "multi")]
        ids = [(f"{number}/{part}", str(number)) for part, number in parts]
    else:
        ids = [(str(number), None) for number in range(PLAIN[name])]
    names = find_task(name).cls.breakdowns
    return [
        Question(name, id, "?", group=group, categories={part: f"part {rng.integers(LABELS)}" for part in names})
        for id, group in ids
    ]


def prepared_task(name: str, questions: Sequence[Question], size: int, rng: np.random.Generator) -> Prepared:
    """`size` candidates for every question, of four answers or, for every other one, 40; one of them is right."""
    rows, verdicts = {}, {}
    for number, question in enumerate(questions):
        usual = 4 / np.arange(1, 5 if number % 2 else 41)
        share = rng.dirichlet(usual[rng.permutation(len(usual))] if rng.random() < 0.5 else usual)
        answers = rng.choice(len(usual), size=size, p=share)
        listed = [Candidate(question.id, k, f"candidate {k} " * int(rng.integers(4, 12))) for k in range(size)]
        rows[question.id] = [PoolRow(candidate, "invented") for candidate in listed]
        for candidate, answer in zip(listed, answers, strict=True):
            verdicts[candidate.key] = Verdict(str(answer), str(answer), answer == 0, "given")
    return Prepared(
        request=Request(trust_verdicts=True),
        key={"task_version": 1, "data": name},
        data_origin="invented",
        data_revision=None,
        total=len(questions),
        notes=[],
        seconds={},
        task=make_task(find_task(name)),
        questions={question.id: question for question in questions},
        origin="invented",
        pool_sha256=hashlib.sha256(name.encode()).hexdigest(),
        rows=rows,
        verdicts=verdicts,
    )


def scored_rows(prepared: Prepared, rng: np.random.Generator) -> Scored:
    """Six step scores for every candidate, a little higher where it is right."""
    scores = {}
    for key, verdict in prepared.verdicts.items():
        steps = tuple(1 / (1 + np.exp(-rng.normal(1 + 0.5 * verdict.correct, 1, 6))))
        scores[key] = Score(float(np.mean(steps)), tuple(map(float, steps)))
    return Scored("critic-0", "best", 0.5, {}, "0" * 16, scores, {}, 0.0)


def one_result() -> float:
    """Seconds of `best_of_n_result` on 1,000 questions with 128 candidates."""
    rng = np.random.default_rng(1)
    prepared = prepared_task("mathvista", questions_of("mathvista", rng), 128, rng)
    scored = scored_rows(prepared, rng)
    started = time.process_time()
    best_of_n_result(prepared, scored, Analysis())
    return time.process_time() - started


def invented_curves(share: Any, first: Any, skill: float, rng: np.random.Generator) -> Curves:
    """Curves [Q, len(NS)] of questions of which the policy gets the `share` [Q] right, `first` [Q] at once."""
    n = np.array(NS)
    right = np.repeat(share[:, None], len(NS), axis=1)
    oracle, worst = 1 - (1 - right) ** n, right**n
    reach = np.clip(rng.normal(skill, 0.3, (len(share), 1)), 0, 1)
    critic = right + reach * (oracle - right)
    vote = np.where(share[:, None] > 0.4, 1 - (1 - right) ** np.sqrt(n), right)
    return Curves(NS, critic, vote, right, oracle, worst, np.repeat(first[:, None], len(NS), axis=1), np.zeros(len(NS)))


def write_run(output: Path, skills: Sequence[float]) -> None:
    """A stored result of every critic on every task; their own intervals are of 100 resamples."""
    rng = np.random.default_rng(0)
    template = template_result()
    for name in TASKS:
        questions, task = questions_of(name, rng), make_task(find_task(name))
        share = rng.beta(0.6, 0.8, len(questions))
        first = (rng.random(len(share)) < share).astype(float)
        for critic, skill in zip(CRITICS, skills, strict=True):
            curves = invented_curves(share, first, skill, np.random.default_rng([len(share), int(1000 * skill)]))
            units = units_of(task, questions, curves)
            means = {curve: units.values[curve].mean(axis=0) for curve in CURVES}
            points = {
                curve: tuple(Point(n, value, value, value) for n, value in zip(NS, values.tolist(), strict=True))
                for curve, values in means.items()
            }
            gains = {
                f"over_{curve}": tuple(
                    Gain(n, value, value, value, 0.01, 0.08)
                    for n, value in zip(NS, (means["critic"] - means[curve]).tolist(), strict=True)
                )
                for curve in ("random", "vote")
            }
            data = table_bytes(units_table(units))
            result = replace(
                template,
                task=name,
                critic=critic,
                questions=len(questions),
                questions_in_task=len(questions),
                candidates=128 * len(questions),
                metric=task.metric,
                units=len(units.names),
                curves=points,
                gains=gains,
                measures=named_measures(task, questions, curves, 100, 0),
                files={"units.parquet": hashlib.sha256(data).hexdigest()},
            )
            folder = output / "results" / f"{name}-{critic}"
            folder.mkdir(parents=True)
            (folder / "units.parquet").write_bytes(data)
            (folder / "result.json").write_text(json.dumps(as_json(result)))


def template_result() -> BestOfNResult:
    """A result of a few questions, from which those of the study have what isn't a figure."""
    rng = np.random.default_rng(0)
    prepared = prepared_task("logicvista", questions_of("logicvista", rng)[:60], 128, rng)
    result, _ = best_of_n_result(prepared, scored_rows(prepared, rng), Analysis(ns=NS, resamples=100))
    return replace(result, pool_size=128, provenance=replace(result.provenance, resamples=10_000))


def overview_of(output: Path) -> float:
    """Seconds of the overview of a stored run, its reading included."""
    from vpbench.report.overview import overview

    started = time.process_time()
    overview([read_result(folder) for folder in sorted((output / "results").iterdir())])
    return time.process_time() - started


def measure(arguments: Sequence[str], checkout: Path) -> tuple[float, float]:
    """(CPU seconds, peak MB) of a process; seconds are those it prints, if it prints any, else its own."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, cwd=checkout, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, arguments
    timed = arguments[0] == __file__
    return float(printed) if timed else used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main(checkouts: Sequence[Path]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "one", Path(folder) / "two"
        for run, start in zip(runs, (0.0, 0.02), strict=True):
            write_run(run, [start + 0.05 * k for k in range(len(CRITICS))])
        one, two = map(str, runs)
        jobs = {
            "overview of a stored study": [__file__, "--overview", one],
            "vpbench compare of two runs": ["-m", "vpbench", "compare", one, two],
            "vpbench report of a run": ["-m", "vpbench", "report", one],
            "best_of_n_result, 1,000 questions x 128": [__file__, "--result"],
        }
        rows = []
        for name, arguments in jobs.items():
            taken = [[measure(arguments, checkout) for checkout in (HERE, *checkouts)] for _ in range(3)]
            medians = np.median(taken, axis=0)
            rows.append(
                [name, *(f"{value:.1f}" for value in medians[:, 0]), *(f"{peak:.0f}" for peak in medians[:, 1])]
            )
            if checkouts:
                rows[-1].append(f"{statistics.median(turn[1][0] / turn[0][0] for turn in taken):.1f}")
    names = ["this", *(checkout.name for checkout in checkouts)]
    headers = ["job", *(f"CPU s, {name}" for name in names), *(f"peak MB, {name}" for name in names)]
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(
        tabulate(rows, [*headers, *(["times faster"] if checkouts else [])], tablefmt="github", disable_numparse=True)
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--overview"]:
        print(overview_of(Path(sys.argv[2])))
    elif sys.argv[1:] == ["--result"]:
        print(one_result())
    else:
        main([Path(argument).resolve() for argument in sys.argv[1:]])
