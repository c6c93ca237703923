"""Which results measure the same, so that a rank or a mean over several of them says something."""

from __future__ import annotations

from collections.abc import Hashable

from vpbench.report.result import BestOfNResult, Result, StepResult


def selects_by_vote(result: Result) -> bool:
    """Whether the critic's pick is the vote's, so that its gain over the vote is 0 by construction."""
    return isinstance(result, BestOfNResult) and result.selection == "vote"


def gains_over_vote(result: Result) -> bool:
    """Whether the critic can gain over the vote: there is one, and it isn't the critic's own pick."""
    return isinstance(result, BestOfNResult) and result.has_vote and not selects_by_vote(result)


def same_critic(one: Result, two: Result) -> bool:
    """Whether both are of one critic with the same settings."""
    return (one.critic, one.provenance.critic_revision) == (two.critic, two.provenance.critic_revision)


def measured_on(result: BestOfNResult | StepResult) -> Hashable:
    """What has to be equal for a rank: all that isn't the critic or the way in which it is used."""
    provenance = result.provenance
    asked = (result.nano, provenance.task_version, provenance.data.fingerprint, result.complete, result.questions)
    both = (*asked, result.candidates, result.metric)
    if isinstance(result, StepResult):
        return both, result.step_f1.pooled.steps
    # the hash is of the whole pool: what the first candidates are worth tells which questions and verdicts were used
    first = round(result.curves["first"][0].value, 9)
    graded = (result.grading, result.judge, result.estimator, result.units, result.pool_size)
    return both, graded, result.policy, provenance.pool_sha256, first
