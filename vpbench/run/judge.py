"""Official grading by a judge model: the conversations that a task's rule holds, many at a time.

All conversations go on in rounds: the prompts that are open are asked together, so that a backend can run them
concurrently or in one batch, and equal prompts once. Every reply is kept as it comes, keyed by judge and prompt, so
that nothing is asked twice, whatever stops a run or changes in the grader's code. A prompt that got no reply is a
failed row with its reason, and is asked again when the same command runs again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.base import Dialogue, Task
from vpbench.errors import Boundary, PluginError
from vpbench.generate import Generation, Generator, Message, PoolRow, Prompt, Sampling, used_since
from vpbench.records import Question, Reason, RowKey, Verdict
from vpbench.run.allowance import Allowance
from vpbench.run.kept_notes import KeptNotes
from vpbench.store import RowStore, folder_name

ROWS_AT_ONCE = 4096
SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=4096)
End = Verdict | PluginError | str | None
"""How a conversation ends: a verdict, an exception of the grader's code, why there is no reply, an unreadable reply."""

FAILED = "judge failed"
UNREADABLE = "judge's reply can't be read"


@dataclass(frozen=True)
class Judge:
    """A generator that answers graders' prompts, greedily; `spec` is what the user calls it."""

    spec: str
    generator: Generator

    def identity(self) -> dict[str, Any]:
        """What determines its replies."""
        return {**self.generator.identity(), "max_tokens": SAMPLING.max_tokens}

    def replies(self, prompts: Sequence[str]) -> Iterator[tuple[int, Generation]]:
        """One reply per prompt, with the prompt's position, as they come. Raises `ConfigError`."""
        self.generator.prepare()
        return self.generator.generate([Prompt((Message("user", text),), SAMPLING) for text in prompts])


@dataclass(frozen=True)
class JudgeStage:
    """A judge at work on one task's candidates of one pool; `allowance` counts the rows that got no reply."""

    judge: Judge
    output: Path
    task: str
    pool: str
    allowance: Allowance

    @property
    def key(self) -> dict[str, Any]:
        """What determines the replies."""
        return {"task": self.task, "pool": self.pool, "judge": self.judge.identity()}

    @property
    def folder(self) -> Path:
        """Where they are kept."""
        return self.output / "judge" / folder_name(self.task, self.pool, self.judge.spec, key=self.key)

    def hold(self, dialogues: Mapping[RowKey, Dialogue]) -> Iterator[tuple[RowKey, End]]:
        """How each conversation ends, as it ends; None is an unreadable reply.

        Raises `TooManyFailures`; the replies that came are kept.
        """
        rows = list(dialogues)
        with RowStore(self.folder, "replies", self.key) as store:
            for start in range(0, len(rows), ROWS_AT_ONCE):
                for row, end in self._rounds(
                    {row: dialogues[row] for row in rows[start : start + ROWS_AT_ONCE]}, store
                ):
                    if isinstance(end, str):
                        self.allowance.count(f"question {row[0]!r} candidate {row[1]}: {end}")
                    yield row, end

    def _rounds(self, dialogues: Mapping[RowKey, Dialogue], store: RowStore) -> Iterator[tuple[RowKey, End]]:
        asked: dict[str, list[RowKey]] = {}
        for row, dialogue in dialogues.items():
            yield from self._continue(dialogue, None, row, asked)
        while asked:
            following: dict[str, list[RowKey]] = {}
            for prompt, reply in self._answers(list(asked), store):
                for row in asked[prompt]:
                    if isinstance(reply, str):
                        yield from self._continue(dialogues[row], reply, row, following)
                    else:
                        yield row, str(reply.error)
            asked = following

    def _continue(
        self, dialogue: Dialogue, reply: str | None, row: RowKey, asked: dict[str, list[RowKey]]
    ) -> Iterator[tuple[RowKey, End]]:
        """Go on with a conversation up to its next prompt, which joins `asked`, or to its end, which is yielded."""
        where = f"task {self.task!r}, question {row[0]!r} candidate {row[1]}: judge"
        try:
            with Boundary(where):
                prompt = next(dialogue) if reply is None else dialogue.send(reply)
        except StopIteration as end:
            yield row, end.value
        except PluginError as error:
            yield row, error
        else:
            if isinstance(prompt, str):
                asked.setdefault(prompt, []).append(row)
            else:
                yield row, PluginError(f"{where} yielded a {type(prompt).__name__}, expected a prompt")

    def _answers(self, prompts: Sequence[str], store: RowStore) -> Iterator[tuple[str, str | Generation]]:
        """Every prompt with its reply, kept or new; where there is none, with the generation that failed."""
        keys = {prompt: (hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest(), 0) for prompt in prompts}
        owed = [prompt for prompt in prompts if keys[prompt] not in store.rows]
        for prompt in prompts:
            if keys[prompt] in store.rows:
                yield prompt, store.rows[keys[prompt]]["text"]
        notes = KeptNotes(self.folder)
        for position, reply in self.judge.replies(owed) if owed else ():
            prompt = owed[position]
            if reply.error is None:
                notes.add(self.judge.generator.notes())
                store.append(keys[prompt], {"text": reply.text})
                store.flush()
            yield prompt, reply.text if reply.error is None else reply


def needs_judge(task: Task) -> bool:
    """Whether the task's official rule asks a language model about some responses."""
    return type(task).judge is not Task.judge


def rows_to_judge(task: Task, questions: Mapping[str, Question], rows: Mapping[str, Sequence[PoolRow]]) -> list[RowKey]:
    """The rows about which the task's official rule asks a language model."""
    if not needs_judge(task):
        return []
    return [
        row.candidate.key for id, candidates in rows.items() for row in candidates if _asks(task, questions[id], row)
    ]


def _asks(task: Task, question: Question, row: PoolRow) -> bool:
    try:
        with Boundary(f"task {task.name!r}, question {question.id!r}: judge"):
            return task.judge(question, row.candidate.response, row.extraction) is not None
    except PluginError:
        # The grade stage meets it again, and makes it the row's reason.
        return True


def judge_facts(judge: Judge, used_before: Mapping[str, float], rows: int) -> dict[str, Any]:
    """What a result says of its judge; what was used in this run alone, kept replies cost nothing."""
    used = used_since(used_before, judge.generator.usage())
    return {"judge": judge.spec, "identity": judge.identity(), "rows": rows, "used_in_this_run": used}


def judge_notes(asked: Sequence[RowKey], verdicts: Mapping[RowKey, Verdict], judge: Judge | None) -> list[str]:
    """What a reader of the result has to know of the rows in `asked`, those that need a judge."""
    if not asked:
        return []
    if judge is None:
        return [
            f"{len(asked)} of {len(verdicts)} verdicts are rule-only: there the official rule asks a language model; "
            "give one by --judge"
        ]
    notes = [f"{len(asked)} of {len(verdicts)} verdicts by judge {judge.spec}, asked in vpbench's own words"]
    reasons = [Reason(verdicts[row].reason) for row in asked]
    unread, failed = (sum(reason.kind == kind for reason in reasons) for kind in (UNREADABLE, FAILED))
    if unread:
        notes.append(f"{unread} replies of the judge can't be read; these rows are graded by rule")
    if failed:
        notes.append(f"{failed} rows got no reply from the judge and count as wrong; the same command asks again")
    return notes
