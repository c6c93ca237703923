"""Rows of public sets of step labels, each told by its columns, as their files on the hub or on GitHub have them.

First-error rows (ProcessBench): `problem`, `steps`, `label`, the index of the first wrong step or -1. Edited solutions
(PRMBench): `modified_question`, `modified_process`, `error_steps` counted from 1. Rated completions (PRM800K):
`question.problem`, `label.steps`, of each step the completions with their ratings and which was gone on with. Marked
texts (Math-Shepherd): `input` with a marker behind each step, `label` the same text with + or - in its place. Plain
rows: `question`, `steps`, `labels` of 1, 0, -1 or null. Where labels end with the first error, later steps are neutral,
which carries no loss.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from vpbench.errors import DataError
from vpbench.labels.cells import list_cell, text_cell, texts_cell
from vpbench.records import CORRECT, INCORRECT, NEUTRAL

Labelled = tuple[str, list[str], tuple[int, ...]]
"""A question's text, the steps of its solution, a label for each."""

_MARKER = "ки"
_FIRST_STEP = re.compile(r"\s*\bStep 1\s*:")
_SIGNS = {"+": CORRECT, "-": INCORRECT}


def _first_error(row: Mapping[str, Any], where: str) -> Labelled:
    steps, label = texts_cell(row, "steps", where), row["label"]
    if type(label) is not int or not -1 <= label < len(steps):
        raise DataError(f"{where}: `label` is {label!r} for {len(steps)} steps; it is the index of one, or -1")
    labels = [CORRECT] * len(steps)
    if label >= 0:
        labels[label:] = [INCORRECT] + [NEUTRAL] * (len(steps) - label - 1)
    return text_cell(row, "problem", where), steps, tuple(labels)


def _edited(row: Mapping[str, Any], where: str) -> Labelled:
    steps, wrong = texts_cell(row, "modified_process", where), list_cell(row, "error_steps", where)
    if not all(type(number) is int for number in wrong):
        raise DataError(f"{where}: `error_steps` holds {wrong!r}, expected numbers of steps, counted from 1")
    labels = tuple(INCORRECT if number in wrong else CORRECT for number in range(1, len(steps) + 1))
    return text_cell(row, "modified_question", where), steps, labels


def _rated(row: Mapping[str, Any], where: str) -> Labelled:
    """The path that the labeller went: what was chosen, or written by hand, up to a step where neither was."""
    steps, labels = [], []
    try:
        for step in row["label"]["steps"]:
            chosen, written = step["chosen_completion"], step.get("human_completion")
            if chosen is None and written is not None:
                steps.append(written["text"])
                labels.append(CORRECT)
                continue
            if not step["completions"]:
                break
            completion = step["completions"][chosen or 0]
            steps.append(completion["text"])
            labels.append(NEUTRAL if completion["rating"] is None else completion["rating"])
            if chosen is None:
                break
        text = row["question"]["problem"]
    except (KeyError, IndexError, TypeError) as error:
        raise DataError(
            f"{where}: needs `question.problem` and `label.steps` with `completions` (`text`, `rating`) and "
            f"`chosen_completion` ({type(error).__name__}: {error})"
        ) from error
    return text_cell({"question.problem": text}, "question.problem", where), *_checked(steps, labels, where)


def _marked(row: Mapping[str, Any], where: str) -> Labelled:
    *marked, rest = text_cell(row, "input", where).split(_MARKER)
    label, at, labels = text_cell(row, "label", where), 0, []
    for part in marked:
        at += len(part)
        if label[at - len(part) : at] != part or label[at : at + 1] not in _SIGNS:
            raise DataError(f"{where}: `label` isn't `input` with + or - for each {_MARKER}, at character {at}")
        labels.append(_SIGNS[label[at]])
        at += 1
    head = _FIRST_STEP.search(marked[0]) if marked else None
    if head is None or rest.strip():
        raise DataError(f"{where}: `input` must hold 'Step 1:' behind the question and end with the last {_MARKER}")
    steps = [marked[0][head.start() :], *marked[1:]]
    return marked[0][: head.start()], [step.strip() for step in steps], tuple(labels)


def _plain(row: Mapping[str, Any], where: str) -> Labelled:
    steps, labels = texts_cell(row, "steps", where), list_cell(row, "labels", where)
    return text_cell(row, "question", where), *_checked(
        steps, [NEUTRAL if label is None else label for label in labels], where
    )


def _checked(steps: list[Any], labels: list[Any], where: str) -> tuple[list[str], tuple[int, ...]]:
    if len(steps) != len(labels):
        raise DataError(f"{where}: {len(steps)} steps but {len(labels)} labels")
    if not all(type(label) is int and label in (CORRECT, NEUTRAL, INCORRECT) for label in labels):
        raise DataError(f"{where}: labels are 1 (correct), 0 (neutral), -1 (incorrect) or null, not {labels!r}")
    return texts_cell({"steps": steps}, "steps", where), tuple(labels)


READERS: tuple[tuple[tuple[str, ...], Callable[[Mapping[str, Any], str], Labelled]], ...] = (
    (("problem", "steps", "label"), _first_error),
    (("modified_question", "modified_process", "error_steps"), _edited),
    (("question", "label"), _rated),
    (("input", "label"), _marked),
    (("question", "steps", "labels"), _plain),
)
"""The columns of each kind of row, and what reads it; the first whose columns are all there."""
