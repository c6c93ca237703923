"""Why a published figure and a measured one can't be compared: in what they differ, or aren't known to be alike."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from vpbench.report.published import Protocol, PublishedCritic, PublishedRow
from vpbench.report.result import BestOfNResult, StepResult

OF_ANOTHER = ("miniature world", "policy", "critic")
"""How reasons begin by which a result is about another policy, critic or world."""
OF_OTHER_QUESTIONS = "split"
"""How the reason begins by which a result is about other questions of the benchmark."""


def differences(
    row: PublishedRow,
    entry: PublishedCritic,
    protocol: Protocol,
    result: BestOfNResult | StepResult,
    policies: Collection[str],
) -> list[str]:
    """The reasons, one a string "kind: words". `policies` are the names of the row's policy."""
    reasons = [*_of_questions(row, result), *_of_model(row, entry, result)]
    if isinstance(result, StepResult):
        return [*reasons, *_facts({"threshold": (protocol.threshold, result.step_f1.threshold)})]
    drawing = result.provenance.drawing or {}
    if row.metric != result.metric:
        reasons.append(f"metric: {row.metric} there, {result.metric} here")
    if not is_called(policy_of(result), policies):
        model = re.split("[/:]", policy_of(result).rstrip("/"))[-1]
        here = result.policy if is_called(result.policy, [model]) else f"{result.policy} ({model})"
        reasons.append(f"policy: {row.policy} there, {here} here")
    facts: dict[str, tuple[object, object]] = {"grading": (protocol.grading, result.grading)}
    if (protocol.judge, result.judge) != (None, None):
        facts["judge"] = (protocol.judge or "none", result.judge or "none")
    if entry.curve == "random" and row.n == 1:
        reasons.append("N = 1 row: a response asked for by itself is published, here the mean over a pool")
        return [*reasons, *_facts(facts)]
    facts["prompt"] = (protocol.prompt, drawing.get("prompt"))
    facts["temperature"] = (entry.temperature or protocol.temperature, drawing.get("temperature"))
    facts["estimator"] = (protocol.estimator, result.estimator)
    if entry.curve is None:
        facts["selection"] = ("best", result.selection)
        facts["aggregation"] = (entry.aggregate or protocol.aggregate, result.aggregate)
    return [*reasons, *_facts(facts)]


def _of_questions(row: PublishedRow, result: BestOfNResult | StepResult) -> list[str]:
    if result.nano:
        return ["miniature world: drawn questions and tiny models"]
    reasons = []
    if not result.complete:
        reasons.append(f"subset: {result.questions} of {result.questions_in_task} questions here")
    if row.questions != result.questions_in_task:
        there = f"{row.questions} questions" if row.questions else row.split or "not published"
        reasons.append(f"{OF_OTHER_QUESTIONS}: {there} there, {result.questions_in_task} questions here")
    return reasons


def _of_model(row: PublishedRow, entry: PublishedCritic, result: BestOfNResult | StepResult) -> list[str]:
    if entry.curve is not None or is_called(model_of(result), [entry.model or ""]):
        return []
    if result.critic != entry.critic:
        return [f"critic: {entry.model or row.critic} there, scores that are called {result.row} here"]
    # a model's folder is nobody's business
    here = model_of(result).rstrip("/").rpartition("/")[2] or "no model"
    return [f"critic: {entry.model or 'weights not published'} there, {here} here"]


def _facts(facts: Mapping[str, tuple[object, object]]) -> list[str]:
    """A reason for each fact (published, measured) unless both are the same; what isn't published may be anything."""
    return [
        f"{kind}: {'not published' if published is None else published} there, "
        f"{'not recorded' if measured is None else measured} here"
        for kind, (published, measured) in facts.items()
        if published is None or not (published == measured or is_called(str(measured), [str(published)]))
    ]


def policy_of(result: BestOfNResult) -> str:
    """The model that drew a result's candidates where that is recorded, else what the result calls the policy."""
    drawn = (result.provenance.drawing or {}).get("policy")
    return str((drawn.get("model") if isinstance(drawn, Mapping) else None) or result.policy)


def model_of(result: BestOfNResult | StepResult) -> str:
    """The checkpoint of a result's critic; empty for one without."""
    return str(result.provenance.critic_settings.get("model") or "")


def is_from_file(result: BestOfNResult | StepResult) -> bool:
    """Whether the scores may have been read from a file, so that its name alone says what made them."""
    return not result.provenance.critic_settings


def is_called(text: str, names: Iterable[str]) -> bool:
    """Whether `text` (a hub id, a path, BACKEND:MODEL, a file's name) holds one of the names, as a whole word."""
    words = {re.split("[/:]", name)[-1] for name in names} - {""}
    return any(re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w.-])", text, re.IGNORECASE) for word in words)
