"""Labelled solutions read from the formats in use, one JSON object a line.

The released raw rows (`steps_with_score`, with the counts of Monte-Carlo continuations), the released multi-turn
conversations (a user turn per step, `+` or `-` as the answer), TRL's stepwise rows (`prompt`, `completions`, `labels`),
the rows of step benchmarks (`response` with `steps` and `process_correctness`), and those of `published`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vpbench.data.files import json_lines, read_bytes
from vpbench.data.table import image_refs
from vpbench.errors import DataError
from vpbench.labels.cells import list_cell, text_cell
from vpbench.labels.published import READERS
from vpbench.labels.rules import StepEstimate, step_labels
from vpbench.records import CORRECT, INCORRECT, NEUTRAL, Candidate, ImageRef, LabelledSolution, LabelRule, Question

_QUESTION_HEAD, _SOLUTION_HEAD = "### Question:\n", "\n\n### Solution Process:\n"
_TURN_LABELS = {"+": CORRECT, "=": NEUTRAL, "-": INCORRECT}


def read_labelled(path: Path, rule: LabelRule = "value", threshold: float = 0.0) -> Iterator[LabelledSolution]:
    """The labelled solutions of a JSONL file (optionally .gz), in order; image paths are relative to its folder.

    `rule` and `threshold` turn the estimates of raw rows into labels (`step_labels`); the other formats hold labels.
    Raises `DataError` naming the line and what is wrong with it.
    """
    for number, (where, row) in enumerate(json_lines(path, read_bytes(path)), 1):
        if "steps_with_score" in row:
            text, steps, labels = _raw(row, where, rule, threshold)
        elif "conversations" in row:
            text, steps, labels = _conversation(row, where)
        elif {"prompt", "completions", "labels"} <= row.keys():
            text, steps, labels = _stepwise(row, where)
        elif isinstance(row.get("response"), Mapping):
            text, steps, labels = _annotated(row, where)
        else:
            read = next((reader for columns, reader in READERS if row.keys() >= set(columns)), None)
            if read is None:
                raise DataError(_unknown(row, where))
            text, steps, labels = read(row, where)
        if not steps:
            raise DataError(f"{where}: a solution without steps; remove the line")
        id = str(row["question_id"]) if "question_id" in row else f"{path.name}:{number}"
        question = Question(str(row.get("task", "")), id, text, _images(row, where, path.parent))
        index = row.get("index", 0)
        candidate = Candidate(id, index, "\n\n".join(steps), str(row.get("policy", "")), steps=tuple(steps))
        yield LabelledSolution(question, candidate, labels, path.name)


def _unknown(row: Mapping[str, Any], where: str) -> str:
    kinds = [", ".join(f"`{name}`" for name in columns) for columns, _ in READERS]
    return (
        f"{where}: not a labelled solution; expected `steps_with_score`, `conversations`, `prompt`, `completions` and "
        f"`labels`, a `response` of steps, or one of {'; '.join(kinds)}; it has {', '.join(row) or 'no fields'}"
    )


def _raw(
    row: Mapping[str, Any], where: str, rule: LabelRule, threshold: float
) -> tuple[str, list[str], tuple[int, ...]]:
    steps, estimates = [], []
    for number, step in enumerate(list_cell(row, "steps_with_score", where)):
        try:
            correct, total = int(step["num_mc_correct"]), int(step["num_mc_total"])
            steps.append(str(step["step"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{where}, step {number}: needs `step`, `num_mc_correct`, `num_mc_total` ({error})"
            ) from error
        if not 0 <= correct <= total:
            raise DataError(f"{where}, step {number}: {correct} right of {total} continuations can't be")
        estimates.append(StepEstimate(correct, total))
    return text_cell(row, "question", where), steps, step_labels(estimates, rule, threshold, _start(row, where))


def _start(row: Mapping[str, Any], where: str) -> float:
    start = row.get("start_mc", 0.0)
    if not isinstance(start, int | float) or not 0 <= start <= 1:
        raise DataError(f"{where}: `start_mc` is {start!r}, expected a share from 0 to 1")
    return float(start)


def _conversation(row: Mapping[str, Any], where: str) -> tuple[str, list[str], tuple[int, ...]]:
    turns = list_cell(row, "conversations", where)
    if not all(isinstance(turn, Mapping) for turn in turns):
        raise DataError(f"{where}: `conversations` must be a list of objects with `from` and `value`")
    turns = [turn for turn in turns if turn.get("from") != "system"]
    users, answers = turns[::2], turns[1::2]
    speakers = [turn.get("from") for turn in turns]
    if speakers != ["human", "gpt"] * (len(turns) // 2):
        raise DataError(f"{where}: turns must go human, gpt, human, gpt, ... after the system's")
    labels = [_TURN_LABELS.get(str(answer.get("value")).strip()) for answer in answers]
    if None in labels:
        number = labels.index(None)
        raise DataError(f"{where}: answer {number} is {answers[number].get('value')!r}, expected + or -")
    first = str(users[0].get("value")) if users else ""
    head, sign, step = first.partition(_SOLUTION_HEAD)
    if not sign:
        raise DataError(f"{where}: the first human turn lacks {_SOLUTION_HEAD.strip()!r} between question and step")
    steps = [step, *(str(turn.get("value", "")) for turn in users[1:])]
    return head.removeprefix(_QUESTION_HEAD), steps, tuple(label for label in labels if label is not None)


def _stepwise(row: Mapping[str, Any], where: str) -> tuple[str, list[str], tuple[int, ...]]:
    steps, labels = list_cell(row, "completions", where), list_cell(row, "labels", where)
    if len(steps) != len(labels):
        raise DataError(f"{where}: {len(steps)} completions but {len(labels)} labels")
    if not all(isinstance(step, str) for step in steps) or not all(label in (True, False) for label in labels):
        raise DataError(f"{where}: completions must be strings, labels true or false")
    return text_cell(row, "prompt", where), list(steps), tuple(CORRECT if label else INCORRECT for label in labels)


def _annotated(row: Mapping[str, Any], where: str) -> tuple[str, list[str], tuple[int, ...]]:
    response = row["response"]
    if not {"steps", "process_correctness"} <= response.keys():
        raise DataError(f"{where}: `response` needs `steps` and `process_correctness`")
    steps, labels = list_cell(response, "steps", where), list_cell(response, "process_correctness", where)
    if len(steps) != len(labels):
        raise DataError(f"{where}: {len(steps)} steps but {len(labels)} labels")
    if not all(label in (CORRECT, NEUTRAL, INCORRECT) for label in labels):
        raise DataError(f"{where}: `process_correctness` holds 1 (correct), 0 (neutral) and -1 (incorrect) only")
    return text_cell(row, "question", where), [str(step) for step in steps], tuple(labels)


def _images(row: Mapping[str, Any], where: str, root: Path) -> tuple[ImageRef, ...]:
    cell = row.get("image", row.get("images"))
    return () if cell in (None, "", []) else image_refs(cell, f"{where}, image", root)
