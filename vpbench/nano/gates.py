"""What has to hold before anybody draws conclusions from the miniature world: `python -m vpbench.nano.gates
PRM OTHER ...`.

On the shipped questions, none of which had a part in training or in any choice: does the process reward model tell a
question's right solutions from its wrong ones (response AUC within questions, over distinct solutions), does it tell
right steps from wrong ones (pooled macro-F1 at 0.5, against the truth); then, over all tasks together, what it gains in
Best-of-N against every control and baseline. Scores come through the pipeline that real runs use. Accuracy is by
question here, also where a benchmark's own metric is by group; groups are resampled whole.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpbench.nano.measuring import graded_candidates, judged_steps
from vpbench.pipeline import build_critics
from vpbench.request import Request
from vpbench.stats import Curves, QuestionPool, curves, paired_differences, step_f1, step_ranking

if TYPE_CHECKING:
    from vpbench.stats import Difference

NS = (1, 2, 4, 8, 16, 32, 64, 128)
GATED = (8, 32, 128)


@dataclass(frozen=True)
class Pooled:
    """All tasks' questions as pools, by critic; their candidates' texts; `clusters` names each question's group."""

    pools: Mapping[str, Sequence[QuestionPool]]
    texts: Sequence[Sequence[str]]
    clusters: Sequence[str]

    def curves(self, critic: str, selection: Any = "best") -> Curves:
        """Correctness of each question for every N of `NS`."""
        return curves(self.pools[critic], selection, "expected", NS)


def score_all(critics: Sequence[str], output: Path) -> Pooled:
    """Score the shipped pools of all tasks with all critics."""
    candidates = graded_candidates(Request(nano=True, output=output))
    scorers = build_critics(critics, {}, nano=True)
    pools = {each.name: candidates.pools(candidates.scores(each)) for each in scorers}
    return Pooled(pools, candidates.texts, candidates.clusters)


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


def step_figures(critic: str, output: Path) -> str:
    """Pooled macro-F1 at 0.5 and AUC over the labelled steps of the step task."""
    (scorer,) = build_critics([critic], {}, nano=True)
    judged = judged_steps(scorer, Request(nano=True, output=output))
    pooled, ranking = step_f1(judged.labels, judged.scores, 0.5).pooled, step_ranking(judged.labels, judged.scores)
    return f"{pooled.macro_f1:.3f} (AUC {ranking.auroc:.3f}, {pooled.steps} steps)"


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


if __name__ == "__main__":
    first, *rest = sys.argv[1:]
    print(report(score_all([first, *rest], Path("runs/gates")), first, rest))
    print("pooled step macro-F1:", step_figures(first, Path("runs/gates")))
