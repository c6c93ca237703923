"""What has to hold before anybody draws conclusions from the miniature world: `vpbench ablate gates`.

On the shipped questions, which have seeds of their own and no part in any choice: does the first critic, the gated one,
tell a question's right solutions from its wrong ones (response AUC within questions, over distinct solutions), does it
tell right steps from wrong ones (pooled macro-F1 at 0.5, against the truth); then, over all tasks together, what it
gains in Best-of-N against every control and every rival. Scores come through the pipeline that real runs use. Accuracy
is by question here, also where a benchmark's own metric is by group; groups are resampled whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpbench.ablate.measuring import JudgedSteps, graded_candidates, judged_steps
from vpbench.ablate.table import points
from vpbench.plugins import all_critics
from vpbench.records import Selection
from vpbench.run.critics import build_critics
from vpbench.run.request import Request
from vpbench.stats import Curves, QuestionPool, curves, paired_differences, step_f1, step_ranking
from vpbench.terminal import markdown_table

NS = (1, 2, 4, 8, 16, 32, 64, 128)
GATED = (8, 32, 128)
"""The values of N at which differences are shown."""
MODELS = ("prm", "orm", "policy")
"""Models of the miniature world whose critics are compared by default, the gated one first."""


@dataclass(frozen=True)
class Pooled:
    """All tasks' questions as pools, by critic; their candidates' texts; `clusters` names each question's group."""

    pools: Mapping[str, Sequence[QuestionPool]]
    texts: Sequence[Sequence[str]]
    clusters: Sequence[str]

    def curves(self, critic: str, selection: Selection = "best") -> Curves:
        """Correctness of each question for every N of `NS`."""
        return curves(self.pools[critic], selection, "expected", NS)


def gates(critics: Sequence[str], output: Path, echo: Callable[[str], None]) -> None:
    """Report on the first critic, the gated one, beside its rivals (none given: the critics of `MODELS`); verdicts and
    scores are kept under `output`.

    Raises `ConfigError` for an unknown critic and one that the miniature world has no model for.
    """
    gated, *rivals = critics or default_critics()
    pooled = score_all([gated, *rivals], output)
    judged = judged_steps(build_critics([gated], {}, nano=True)[0], Request(nano=True, output=output))
    echo(f"{report(pooled, gated, rivals)}\n{step_figures(judged)}")


def default_critics() -> list[str]:
    """Names of the critics that use `MODELS` in the miniature world, in that order."""
    critics = {name: plugin.cls.nano_settings.get("model") for name, plugin in sorted(all_critics().items())}
    return [name for model in MODELS for name, critic_model in critics.items() if critic_model == model]


def score_all(critics: Sequence[str], output: Path) -> Pooled:
    """Score the shipped pools of all tasks with all critics."""
    candidates = graded_candidates(Request(nano=True, output=output))
    scorers = build_critics(critics, {}, nano=True)
    pools = {critic.name: candidates.pools(candidates.scores(critic)) for critic in scorers}
    return Pooled(pools, candidates.texts, candidates.clusters)


def within_question_auc(pools: Sequence[QuestionPool], texts: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Mean AUC over the questions that have right and wrong solutions, and how many these are.

    Equal responses count once.
    """
    aucs = []
    for pool, responses in zip(pools, texts, strict=True):
        assert pool.scores is not None
        first = list({text: position for position, text in reversed(list(enumerate(responses)))}.values())
        scores, correct = pool.scores[first], pool.correct[first]
        right, wrong = scores[correct], scores[~correct]
        if len(right) and len(wrong):
            over = right[:, None] - wrong[None]
            aucs.append(float((over > 0).mean() + 0.5 * (over == 0).mean()))
    return float(np.mean(aucs)), len(aucs)


def step_figures(judged: JudgedSteps) -> str:
    """Pooled macro-F1 at 0.5 and AUC over labelled steps."""
    pooled, ranking = step_f1(judged.labels, judged.scores, 0.5).pooled, step_ranking(judged.labels, judged.scores)
    return f"pooled step macro-F1: {pooled.macro_f1:.3f} (AUC {ranking.auroc:.3f}, {pooled.steps} steps)"


def report(pooled: Pooled, gated: str, rivals: Sequence[str]) -> str:
    """Tables in Markdown: accuracy by N, differences with intervals; then AUC within questions, a line per critic."""
    by_critic = {name: pooled.curves(name) for name in (gated, *rivals)}
    correctness = {"random": by_critic[gated].random, "majority vote": np.asarray(by_critic[gated].vote)}
    correctness |= {name: curve.critic for name, curve in by_critic.items() if curve.critic is not None}
    weighted = f"vote weighted by {gated}"
    correctness[weighted] = np.asarray(pooled.curves(gated, "weighted-vote").critic)
    correctness["oracle"] = by_critic[gated].oracle
    accuracy = [[name, *(f"{100 * share:.1f}" for share in rows.mean(0))] for name, rows in correctness.items()]
    at = [NS.index(n) for n in GATED]
    pairs = [(gated, "random"), (gated, "majority vote"), *((gated, rival) for rival in rivals)]
    differences = []
    for one, two in [*pairs, (weighted, "majority vote")]:
        gains = paired_differences(correctness[one][:, at], correctness[two][:, at], pooled.clusters)
        differences.append([f"{one} - {two}", *map(points, gains)])
    rise = paired_differences(correctness[gated][:, at[-1:]], correctness[gated][:, at[:1]], pooled.clusters)[0]
    lines = [f"{gated} from N = {GATED[0]} to {GATED[-1]}: {points(rise)}"]
    for name in (gated, *rivals):
        auc, count = within_question_auc(pooled.pools[name], pooled.texts)
        lines.append(f"AUC within questions, {name}: {auc:.3f} ({count} questions with right and wrong solutions)")
    tables = (
        markdown_table(accuracy, ["accuracy, %", *map(str, NS)]),
        markdown_table(differences, ["difference, points", *(f"N = {n}" for n in GATED)]),
    )
    return "\n\n".join([*tables, "\n".join(lines)])
