"""Conversations with a judge: asked in rounds, equal prompts once, replies kept whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from vpbench import Verdict
from vpbench.generate import Generation, Generator, Prompt
from vpbench.records import RowKey
from vpbench.run.allowance import Allowance
from vpbench.run.judge import SAMPLING, Judge, JudgeStage


@dataclass(frozen=True)
class Scripted(Generator):
    """Answers a prompt by its text; remembers what it was asked, batch by batch."""

    backend: ClassVar[str] = "scripted"
    model: str
    answers: Mapping[str, str] = field(default_factory=dict, compare=False)
    batches: list[list[str]] = field(default_factory=list, compare=False)

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        texts = [prompt.messages[0].text for prompt in prompts]
        self.batches.append(texts)
        assert all(prompt.sampling == SAMPLING and prompt.count == 1 for prompt in prompts)
        for position in reversed(range(len(texts))):
            answer = self.answers.get(texts[position])
            yield position, Generation("", error="gone") if answer is None else Generation(answer)


def dialogue(*prompts: str) -> Any:
    """Asks the prompts one after the other; the verdict holds the replies."""
    replies = []
    for prompt in prompts:
        replies.append((yield prompt))
    return Verdict(" ".join(replies), "c", True, "match") if "?" not in replies else None


def allowed(failures: int) -> Allowance:
    return Allowance("judging", "rows", 10, failures / 10)


def held(stage: JudgeStage, **dialogues: Any) -> dict[str, Any]:
    rows: dict[RowKey, Any] = {(id, 0): dialogue for id, dialogue in dialogues.items()}
    return {key[0]: end if end is None or isinstance(end, str) else end.extracted for key, end in stage.hold(rows)}


def test_conversations_go_in_rounds_and_equal_prompts_are_asked_once(tmp_path: Path) -> None:
    judge = Scripted("m", {"p": "1", "q": "2", "r": "?"})
    stage = JudgeStage(Judge("scripted:m", judge), tmp_path, "task", "pool", allowed(10))
    verdicts = held(stage, a=dialogue("p", "q"), b=dialogue("p"), c=dialogue("r"), d=dialogue("x"), e=dialogue())
    assert verdicts == {"a": "1 2", "b": "1", "c": None, "d": "gone", "e": ""}
    assert judge.batches == [["p", "r", "x"], ["q"]]
    again = Scripted("m", {"x": "3"})
    stage = JudgeStage(Judge("scripted:m", again), tmp_path, "task", "pool", allowed(10))
    verdicts = held(stage, a=dialogue("p", "q"), b=dialogue("p"), c=dialogue("r"), d=dialogue("x"), e=dialogue())
    assert verdicts == {"a": "1 2", "b": "1", "c": None, "d": "3", "e": ""}
    assert again.batches == [["x"]]


def test_another_judge_is_asked_anew(tmp_path: Path) -> None:
    for model in ("m", "n"):
        judge = Scripted(model, {"p": model})
        assert held(JudgeStage(Judge("s", judge), tmp_path, "task", "pool", allowed(0)), a=dialogue("p")) == {
            "a": model
        }
        assert judge.batches == [["p"]]


@dataclass(frozen=True)
class Dying(Scripted):
    """Ends the process, as a kill does, before its third reply."""

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        for number, done in enumerate(super().generate(prompts)):
            if number == 2:
                os._exit(9)
            yield done


def test_a_kill_loses_no_reply_that_came(tmp_path: Path) -> None:
    answers = {str(k): f"reply {k}" for k in range(6)}
    prompts = {f"row{k}": str(k) for k in range(6)}
    child = os.fork()
    if child == 0:
        try:
            stage = JudgeStage(Judge("s", Dying("m", answers)), tmp_path, "task", "pool", allowed(0))
            held(stage, **{id: dialogue(text) for id, text in prompts.items()})
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    judge = Scripted("m", answers)
    stage = JudgeStage(Judge("s", judge), tmp_path, "task", "pool", allowed(0))
    verdicts = held(stage, **{id: dialogue(text) for id, text in prompts.items()})
    assert verdicts == {id: answers[text] for id, text in prompts.items()}
    assert judge.batches == [["0", "1", "2", "3"]]
