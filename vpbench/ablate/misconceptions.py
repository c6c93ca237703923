"""What critics are worth where labels teach something: `vpbench ablate misconceptions` writes the page.

Gates, at N = 8 and 16, in each seed: the process reward model over the vote, over the likelihood of the policy (which
is its base) and over the outcome reward model, each with its interval above zero and p < .05; and its macro-F1 of steps
with its interval above every control's. A gate that isn't reached is printed as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vpbench.ablate.gates import NS, Pooled, within_question_auc
from vpbench.ablate.measuring import JudgedSteps
from vpbench.ablate.misled import BLANKED, OUTCOME, PROBABILITY, PROCESS, Seed, measure
from vpbench.ablate.table import points
from vpbench.nano.misled import Amounts
from vpbench.nano.truth import ANSWER
from vpbench.stats import (
    Difference,
    distinct_answers,
    macro_f1_interval,
    measure_step_controls,
    paired_differences,
    step_f1,
)
from vpbench.stats.bootstrap import Array
from vpbench.store import write_atomic
from vpbench.terminal import markdown_table

GATED = (8, 16)
RANDOM, VOTE, ORACLE = "random", "majority vote", "oracle"
RIVALS = (VOTE, PROBABILITY, OUTCOME)
STEP_THRESHOLD, LEVEL = 0.5, 0.05
INTRODUCTION = """# A miniature world with misconceptions

Printed by `vpbench ablate misconceptions`. The policy reads some of what is drawn (digits, signs, colours of a code) in
two ways, right and wrong equally often, and writes down what it read; a step names where it looked, never what is drawn
there. Monte-Carlo labels come from that policy alone, both critics start from it, and nothing is told which reading is
right. Seven kinds of questions, in seven benchmarks' row formats; test questions are new, and none has text, options
and solution of a labelled one. Candidates are drawn at temperature 1, 128 of each question. Accuracy is in percent, by
question; intervals are 95%, paired over questions, groups of questions resampled whole, p-values not adjusted for their
number. A gate is reached where the interval excludes zero and p < .05."""


ALL = Amounts()


def misconceptions(output: Path, seeds: Sequence[int], echo: Callable[[str], None], amounts: Amounts = ALL) -> Path:
    """Train and measure `seeds` under `output` and write `misconceptions.md` there; its path.

    The page is written anew after every seed.
    """
    import torch

    torch.set_num_threads(1)
    page, measured = output / "misconceptions.md", []
    for number in seeds:
        measured.append(measure(output / f"seed-{number}", number, amounts, echo))
        write_atomic(page, (report(measured, amounts) + "\n").encode())
    return page


def report(seeds: Sequence[Seed], amounts: Amounts) -> str:
    """The page: seeds one by one, then their questions pooled where there are several."""
    parts = [INTRODUCTION, _recipe(amounts)]
    for seed in seeds:
        parts += [f"## Seed {seed.number}", *_sections(seed), _label_line(seed)]
    if len(seeds) > 1:
        parts += ["## All seeds, questions pooled", *_sections(pooled(seeds))]
    return "\n\n".join(parts)


def pooled(seeds: Sequence[Seed]) -> Seed:
    """All questions of the seeds as those of one."""
    pools = {name: [pool for seed in seeds for pool in seed.pooled.pools[name]] for name in seeds[0].pooled.pools}
    several = Pooled(
        pools,
        [texts for seed in seeds for texts in seed.pooled.texts],
        [cluster for seed in seeds for cluster in seed.pooled.clusters],
    )
    judged = JudgedSteps(
        [labels for seed in seeds for labels in seed.judged.labels],
        [scores for seed in seeds for scores in seed.judged.scores],
    )
    return replace(
        seeds[0],
        pooled=several,
        read=[read for seed in seeds for read in seed.read],
        judged=judged,
        steps=[steps for seed in seeds for steps in seed.steps],
        step_clusters=[cluster for seed in seeds for cluster in seed.step_clusters],
    )


def correctness(seed: Seed) -> dict[str, Array]:
    """Correctness [questions, values of N] of what each rule picks."""
    curves = {name: seed.pooled.curves(name) for name in (PROBABILITY, OUTCOME, PROCESS, BLANKED)}
    rows = {RANDOM: curves[PROCESS].random, VOTE: np.asarray(curves[PROCESS].vote)}
    rows |= {name: np.asarray(curve.critic) for name, curve in curves.items()}
    return {**rows, ORACLE: curves[PROCESS].oracle}


def reached(difference: Difference) -> bool:
    """Whether a gate holds."""
    return difference.low > 0 and difference.p_value < LEVEL


def _sections(seed: Seed) -> list[str]:
    rows = correctness(seed)
    table = [[name, *(f"{100 * share:.1f}" for share in picked.mean(0))] for name, picked in rows.items()]
    distinct = distinct_answers(seed.pooled.pools[PROCESS])
    questions = len(seed.read)
    answers = (
        f"{questions} questions; different answers per question: {distinct.median:g} in the median; {distinct.mixed} "
        "questions have right and wrong candidates."
    )
    aucs = (
        f"{name} {within_question_auc(seed.pooled.pools[name], seed.pooled.texts)[0]:.3f}" for name in seed.pooled.pools
    )
    return [
        markdown_table(table, ["accuracy, %", *map(str, NS)]),
        answers,
        f"AUC within questions, distinct solutions: {'; '.join(aucs)}.",
        _gates(rows, seed.pooled.clusters),
        _steps(seed),
        _after_the_peak(seed, rows),
    ]


def _gates(rows: Mapping[str, Array], clusters: Sequence[str]) -> str:
    at = [NS.index(n) for n in GATED]
    table = []
    for rival in (*RIVALS, BLANKED):
        differences = paired_differences(rows[PROCESS][:, at], rows[rival][:, at], clusters)
        verdict = "reached" if all(map(reached, differences)) else "not reached"
        table.append([f"{PROCESS} over {rival}", *map(points, differences), verdict])
    return markdown_table(table, ["gate, points", *(f"N = {n}" for n in GATED), ""])


def _steps(seed: Seed) -> str:
    labels, scores, clusters = seed.judged.labels, seed.judged.scores, seed.step_clusters
    macro = step_f1(labels, scores, STEP_THRESHOLD).pooled.macro_f1
    low, high = macro_f1_interval(labels, scores, STEP_THRESHOLD, clusters)
    table = [[PROCESS, f"{macro:.3f}", f"{low:.3f} .. {high:.3f}", ""]]
    for control in measure_step_controls(labels, seed.steps, clusters):
        ends = "" if control.low is None else f"{control.low:.3f} .. {control.high:.3f}"
        top = control.macro_f1 if control.high is None else control.high
        table.append([control.name, f"{control.macro_f1:.3f}", ends, "reached" if low > top else "not reached"])
    return markdown_table(table, ["steps", "macro-F1", "95%", "PRM's interval above"])


def _after_the_peak(seed: Seed, rows: Mapping[str, Array]) -> str:
    """Where the PRM's mean is highest, what it loses after it, and how much of what it picks is a slip."""
    means = rows[PROCESS].mean(0)
    peak = int(means.argmax())
    line = f"The PRM's mean is highest at N = {NS[peak]} ({100 * means[peak]:.1f}%)."
    if peak < len(NS) - 1:
        fall = paired_differences(rows[PROCESS][:, -1:], rows[PROCESS][:, peak : peak + 1], seed.pooled.clusters)[0]
        line += f" From there to N = {NS[-1]}: {points(fall)}."
    pool, picked = slips(seed)
    kinds = ", ".join(f"{kind} {count}" for kind, count in picked.most_common() if kind is not None) or "none"
    of_pool, of_picked = (1 - counts[None] / counts.total() for counts in (pool, picked))
    return (
        f"{line} Slips, solutions that no combination of readings gives: {100 * of_pool:.1f}% of all candidates, "
        f"{100 * of_picked:.1f}% of the PRM's favourites of {NS[-1]} (by where they first depart: {kinds})."
    )


def slips(seed: Seed) -> tuple[Counter[str | None], Counter[str | None]]:
    """Kinds of slips (None: no slip) among all candidates, and among each question's favourite, the first one."""
    pool: Counter[str | None] = Counter()
    picked: Counter[str | None] = Counter()
    for texts, question, read in zip(seed.pooled.texts, seed.pooled.pools[PROCESS], seed.read, strict=True):
        kinds = [slip(tuple(text.split("\n\n")), read) for text in texts]
        pool.update(kinds)
        picked[kinds[int(np.argmax(np.asarray(question.scores)))]] += 1
    return pool, picked


def slip(steps: tuple[str, ...], read: frozenset[tuple[str, ...]]) -> str | None:
    """What a solution's first step is that no combination of readings gives after the steps before it."""
    for number, step in enumerate(steps, 1):
        if not any(chain[:number] == steps[:number] for chain in read):
            return "answer line" if step.startswith(ANSWER) else "reckoning" if "=" in step else "reading"
    return None if steps in read else "reading"


def _label_line(seed: Seed) -> str:
    labels = seed.labels
    return (
        f"Monte-Carlo labels: {labels.solutions} solutions, {100 * labels.right:.1f}% with the right answer; mc > 0 "
        f"agrees with the truth on {100 * labels.agreed:.1f}% of the steps (false + {100 * labels.false_correct:.1f}%, "
        f"false - {100 * labels.false_incorrect:.1f}%)."
    )


def _recipe(amounts: Amounts) -> str:
    critics = " and ".join(
        f"{name} at rate {rate:g} for {epochs} epochs"
        for name, (rate, epochs) in ((PROCESS, amounts.process), (OUTCOME, amounts.outcome))
    )
    return (
        f"The policy has {amounts.describing} updates of describing and {amounts.solving} of solving; "
        f"{amounts.labelled} questions of each kind are labelled; {critics}, from the policy, on the same solutions."
    )
