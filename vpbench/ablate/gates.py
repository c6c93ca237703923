"""What has to hold before anybody draws conclusions from the miniature world: `python -m vpbench.ablate.gates
PRM OTHER ...`.

On the shipped questions, which have seeds of their own and no part in any choice: does the process reward model tell a
question's right solutions from its wrong ones (response AUC within questions, over distinct solutions), does it tell
right steps from wrong ones (pooled macro-F1 at 0.5, against the truth); then, over all tasks together, what it gains in
Best-of-N against every control and baseline. All of it once more without the questions whose equal the models have met.
Scores come through the pipeline that real runs use. Accuracy is by question here, also where a benchmark's own metric
is by group; groups are resampled whole.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpbench.ablate.measuring import JudgedSteps, graded_candidates, judged_steps
from vpbench.ablate.overlap import met
from vpbench.nano.recipe import Recipe
from vpbench.run.pipeline import build_critics
from vpbench.run.request import Request
from vpbench.stats import Curves, QuestionPool, curves, paired_differences, step_f1, step_ranking

if TYPE_CHECKING:
    from vpbench.stats import Difference

NS = (1, 2, 4, 8, 16, 32, 64, 128)
GATED = (8, 32, 128)


@dataclass(frozen=True)
class Pooled:
    """All tasks' questions as pools, by critic; their candidates' texts; `clusters` names each question's group.

    `names` are (task, id) of each question.
    """

    pools: Mapping[str, Sequence[QuestionPool]]
    texts: Sequence[Sequence[str]]
    clusters: Sequence[str]
    names: Sequence[tuple[str, str]]

    def curves(self, critic: str, selection: Any = "best") -> Curves:
        """Correctness of each question for every N of `NS`."""
        return curves(self.pools[critic], selection, "expected", NS)

    def without(self, questions: Collection[tuple[str, str]]) -> Pooled:
        """The same without some questions."""
        kept = [name not in questions for name in self.names]
        pools = {critic: list(compress(own, kept)) for critic, own in self.pools.items()}
        texts, clusters = list(compress(self.texts, kept)), list(compress(self.clusters, kept))
        return Pooled(pools, texts, clusters, list(compress(self.names, kept)))


def score_all(critics: Sequence[str], output: Path) -> Pooled:
    """Score the shipped pools of all tasks with all critics."""
    candidates = graded_candidates(Request(nano=True, output=output))
    scorers = build_critics(critics, {}, nano=True)
    pools = {each.name: candidates.pools(candidates.scores(each)) for each in scorers}
    return Pooled(pools, candidates.texts, candidates.clusters, candidates.names)


def within_question_auc(pools: Sequence[QuestionPool], texts: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Mean AUC over the questions that have right and wrong solutions, and how many these are.

    Equal responses count once.
    """
    found = []
    for pool, responses in zip(pools, texts, strict=True):
        assert pool.scores is not None
        first = list({text: place for place, text in reversed(list(enumerate(responses)))}.values())
        scores, correct = pool.scores[first], pool.correct[first]
        right, wrong = scores[correct], scores[~correct]
        if len(right) and len(wrong):
            over = right[:, None] - wrong[None]
            found.append(float((over > 0).mean() + 0.5 * (over == 0).mean()))
    return float(np.mean(found)), len(found)


def step_figures(judged: JudgedSteps) -> str:
    """Pooled macro-F1 at 0.5 and AUC over labelled steps."""
    pooled, ranking = step_f1(judged.labels, judged.scores, 0.5).pooled, step_ranking(judged.labels, judged.scores)
    return f"pooled step macro-F1: {pooled.macro_f1:.3f} (AUC {ranking.auroc:.3f}, {pooled.steps} steps)"


def report(pooled: Pooled, main: str, others: Sequence[str]) -> str:
    """Tables in Markdown: accuracy by N, differences with intervals, AUC within questions."""
    named = {main: pooled.curves(main), **{name: pooled.curves(name) for name in others}}
    rows = {"random": named[main].random, "majority vote": named[main].vote}
    rows |= {name: each.critic for name, each in named.items() if each.critic is not None}
    rows[f"vote weighted by {main}"] = np.asarray(pooled.curves(main, "weighted-vote").critic)
    rows["oracle"] = named[main].oracle
    lines = [f"| accuracy, % | {' | '.join(map(str, NS))} |", "|---" * (len(NS) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(f'{100 * v:.1f}' for v in each.mean(0))} |" for name, each in rows.items()]
    at = [NS.index(n) for n in GATED]
    lines += ["", f"| difference, points | {' | '.join(f'N = {n}' for n in GATED)} |", "|---" * (len(GATED) + 1) + "|"]
    pairs = [(main, "random"), (main, "majority vote"), *((main, name) for name in others)]
    for one, two in [*pairs, (f"vote weighted by {main}", "majority vote")]:
        found = paired_differences(rows[one][:, at], rows[two][:, at], pooled.clusters)
        lines.append(f"| {one} - {two} | {' | '.join(map(_told, found))} |")
    rise = paired_differences(rows[main][:, at[-1:]], rows[main][:, at[:1]], pooled.clusters)[0]
    lines += ["", f"{main} from N = {GATED[0]} to {GATED[-1]}: {_told(rise)}"]
    for name in (main, *others):
        value, count = within_question_auc(pooled.pools[name], pooled.texts)
        lines.append(f"AUC within questions, {name}: {value:.3f} ({count} questions with right and wrong solutions)")
    return "\n".join(lines)


def _told(each: Difference) -> str:
    return f"{100 * each.value:+.1f} [{100 * each.low:+.1f}, {100 * each.high:+.1f}] p {each.p_value:.4f}"


def main(first: str, *rest: str) -> None:
    """Print the report of the critic `first` beside the others, on all questions and without those that were met."""
    output = Path("runs/gates")
    pooled = score_all([first, *rest], output)
    questions_met, solutions_met = met(Recipe())
    judged = judged_steps(build_critics([first], {}, nano=True)[0], Request(nano=True, output=output))
    print(f"{report(pooled, first, rest)}\n{step_figures(judged)}\n")
    new = [not each for each in solutions_met]
    rest_judged = JudgedSteps(list(compress(judged.labels, new)), list(compress(judged.scores, new)))
    counted = ", ".join(f"{count} of {task}" for task, count in Counter(task for task, _ in questions_met).items())
    print(
        f"Without {len(questions_met)} questions ({counted}) and {sum(solutions_met)} labelled solutions that were met:"
    )
    print(f"\n{report(pooled.without(questions_met), first, rest)}\n{step_figures(rest_judged)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
