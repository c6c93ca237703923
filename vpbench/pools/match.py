"""Candidates and scores belong to a task: which of its questions a line is about, and whether the line agrees.

Lines of other tools are matched by what they say, never by a row's number alone where they say more. Whatever any line
says of its question - task, text, prompt, options, gold answer - is compared with the data.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vpbench.base import BaseTask, Task
from vpbench.data.load import option_texts
from vpbench.errors import Boundary, DataError
from vpbench.pools.formats import ROW_NUMBER, Statement
from vpbench.pools.normal import normal, same_gold, same_options, same_text
from vpbench.pools.pool import Pool, PoolRow
from vpbench.records import Question

_NUMBERS = ("index", "sample_index", "id")
"""Fields in which other tools may count rows in a way of their own."""

WAY_ROUND = "give the file of this task and split, or accept the difference by --allow-mismatch"


def other_task(task: BaseTask, statement: Statement, task_names: Iterable[str]) -> str | None:
    """The other task or benchmark that a line names, in words; None where it names this one or none.

    `benchmark` is only taken for a task's name if it is one of `task_names`; other tools use the field too.
    """
    with Boundary(f"task {task.name!r}: other_rules"):
        accepted = {_name(name) for name in (task.name, *(task.other_rules() if isinstance(task, Task) else ()))}
    if statement.task is not None and _name(statement.task) not in accepted:
        return f"it is of task {statement.task!r}, this is task {task.name!r}"
    others = {_name(name) for name in task_names} - accepted
    if statement.benchmark is not None and _name(statement.benchmark) in others:
        return f"it is of benchmark {statement.benchmark!r}, this is task {task.name!r}"
    return None


def _mismatch(task: BaseTask, question: Question | None, statement: Statement) -> str | None:
    """What a line says of its question that the data does not, in words; None where they agree."""
    if question is None:  # named where pool and data are put together
        return None
    texts = [text for text in (question.text, question.text_in_image) if text]
    with Boundary(f"task {task.name!r}, question {question.id!r}: prompt"):
        prompts = [*texts, task.prompt(question)] if texts and isinstance(task, Task) else texts
    for field, stated, ours in (("question", statement.text, texts), ("prompt", statement.prompt, prompts)):
        if isinstance(stated, str) and not same_text(stated, ours):
            return f"its {field} is {_short(stated)}, the data's question is {_short(ours[0])}"
    options = option_texts(statement.options)
    if options and question.choices and not same_options(options, question.choices):
        return f"its options are {_short(options)}, those of the data {_short(list(question.choices))}"
    if statement.gold is not None and not same_gold(statement.gold, question.answer, question.choices, question.unit):
        return f"its gold answer is {_short(statement.gold)}, that of the data {_short(question.answer)}"
    return None


def mismatches(
    task: BaseTask,
    questions: Mapping[str, Question],
    statements: Mapping[str, Sequence[Statement]],
    origin: str,
    task_names: Iterable[str],
    allowed: bool,
) -> list[str]:
    """A note on what lines say of their questions that the data doesn't; raises `DataError` unless that is `allowed`.

    `origin` is what messages call the data.
    """
    names = set(task_names)
    differing = [
        (id, statement.where, difference)
        for id, stated in statements.items()
        for statement in stated
        if (difference := other_task(task, statement, names) or _mismatch(task, questions.get(id), statement))
    ]
    if not differing:
        return []
    id, where, difference = differing[0]
    count = len({id for id, _, _ in differing})
    if not allowed:
        raise DataError(
            f"{where}: not question {id!r} of {origin}: {difference}; {count} of the file's {len(statements)} "
            f"questions differ; {WAY_ROUND}"
        )
    return [
        f"{count} of the {len(statements)} questions of the file differ from {origin}, the first at {where}: "
        f"{difference}; accepted by --allow-mismatch"
    ]


def identified(pool: Pool, questions: Mapping[str, Question], origin: str) -> tuple[Pool, list[str]]:
    """The pool under the ids of `questions`, and what a reader has to know of how they were told.

    Raises `DataError` for a file of another tool whose questions can't be told.
    """
    foreign = {key: stated[0] for key, stated in pool.statements.items() if stated[0].ids}
    if not foreign:
        return pool, []
    names = [
        name
        for name in next(iter(foreign.values())).ids
        if all(name in statement.ids for statement in foreign.values())
    ]
    refused = []
    for name in names:
        ids = {key: statement.ids[name] for key, statement in foreign.items()}
        reason = _wrong_ids(name, ids, foreign, questions, origin)
        if reason is None:
            checked = any(statement.text or statement.options or statement.gold for statement in foreign.values())
            notes = [f"questions are told by the file's `{name}` alone, which nothing else in it confirms"]
            return _renamed(pool, ids), [
                *([] if checked else notes),
                *_contradictions(ids, f"`{name}`", foreign, questions),
            ]
        refused.append(reason)
    by_text = _by_text(foreign, questions, origin, refused)
    return _renamed(pool, by_text), _contradictions(by_text, "its text", foreign, questions)


def _contradictions(
    ids: Mapping[str, str], told_by: str, foreign: Mapping[str, Statement], questions: Mapping[str, Question]
) -> list[str]:
    """A note for every field with ids of other questions than those that lines were told to be about."""
    notes = []
    for name in dict.fromkeys(name for statement in foreign.values() for name in statement.ids if name != ROW_NUMBER):
        named = {key: statement.ids[name] for key, statement in foreign.items() if statement.ids.get(name) in questions}
        wrong = [key for key, id in named.items() if id != ids[key]]
        if not wrong or (name in _NUMBERS and 2 * len(wrong) > len(named)):
            continue
        first = wrong[0]
        notes.append(
            f"{len(wrong)} of {len(foreign)} lines name another question in `{name}` than by {told_by}, which is "
            f"taken; the first at {foreign[first].where}: `{name}` {named[first]!r}, taken for question {ids[first]!r}"
        )
    return notes


def _wrong_ids(
    name: str, ids: Mapping[str, str], foreign: Mapping[str, Statement], questions: Mapping[str, Question], origin: str
) -> str | None:
    """Why a field doesn't hold the data's ids; None if it does."""
    if name == ROW_NUMBER:
        return f"`{ROW_NUMBER}` is the number of a row, and `doc` has no id"
    present = [key for key, id in ids.items() if id in questions]
    if not present:
        key, id = next(iter(ids.items()))
        return f"`{name}` {id!r} is no question id of {origin}"
    for key in present:  # the others are named where pool and data are put together
        statement, id = foreign[key], ids[key]
        if isinstance(statement.text, str) and not same_text(statement.text, _texts(questions[id])):
            return f"`{name}` {id!r} has another text there"
    return None


def _by_text(
    foreign: Mapping[str, Statement], questions: Mapping[str, Question], origin: str, refused: Sequence[str]
) -> dict[str, str]:
    """The question of every line by its text, where several have it by options and gold too. Raises `DataError`."""
    texts = sorted((normal(text), id) for id, question in questions.items() for text in _texts(question))
    ids = {}
    for key, statement in foreign.items():
        if not isinstance(statement.text, str):
            raise DataError(
                f"{statement.where}: can't tell which question of {origin} this is: {'; '.join(refused)}, and there is "
                "no question text; add a column or field `question_id` with the data's ids"
            )
        matching = _beginning_with(normal(statement.text), texts)
        matching = [id for id in matching if _agrees(statement, questions[id])]
        whole = [id for id in matching if normal(_without_options(questions[id])) == normal(statement.text)]
        matching = whole or matching
        if len(matching) != 1:
            count = f"{len(matching)} questions of {origin}" if matching else f"no question of {origin}"
            some = f" ({', '.join(matching[:3])})" if matching else ""
            raise DataError(
                f"{statement.where}: can't tell which question this is: {'; '.join(refused)}; the text "
                f"{_short(statement.text)} is that of {count}{some}. Add a column or field `question_id` with the "
                "data's ids"
            )
        ids[key] = matching[0]
    return ids


def _beginning_with(start: str, texts: Sequence[tuple[str, str]]) -> list[str]:
    """The ids of the sorted texts that begin so: the data's text may go on with options, a unit or a hint."""
    first = bisect_left(texts, (start,))
    following = itertools.islice(texts, first, None)
    beginning = itertools.takewhile(lambda pair: pair[0].startswith(start), following)
    return list(dict.fromkeys(id for _, id in beginning))


def _agrees(statement: Statement, question: Question) -> bool:
    options = option_texts(statement.options)
    return not (options and question.choices and not same_options(options, question.choices)) and (
        statement.gold is None or same_gold(statement.gold, question.answer, question.choices, question.unit)
    )


def _renamed(pool: Pool, ids: Mapping[str, str]) -> Pool:
    """The pool with its lines under the ids they were found to mean."""
    id, count = Counter(ids.values()).most_common(1)[0]
    if count > 1:
        keys = [key for key in ids if ids[key] == id]
        first, second = (pool.statements[key][0].where for key in keys[:2])
        raise DataError(f"{second}: question {id!r} stands at {first} already; keep one of the two")
    rows: dict[str, list[PoolRow]] = {}
    for key, candidates in pool.rows.items():
        id = ids.get(key, key)
        rows[id] = [replace(row, candidate=replace(row.candidate, question_id=id)) for row in candidates]
    statements = {ids.get(key, key): stated for key, stated in pool.statements.items()}
    return replace(pool, rows=rows, statements=statements)


def _texts(question: Question) -> list[str]:
    return [text for text in (question.text, question.text_in_image) if text]


def _without_options(question: Question) -> str:
    """The question's text up to its options, which other tools keep in columns of their own."""
    return re.split(r"\n\s*(?:choices:|options:|\(A\)|A[.:)])", question.text, maxsplit=1, flags=re.IGNORECASE)[0]


def _name(value: Any) -> str:
    return re.sub(r"[^a-z0-9]", "", str(value).casefold())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
