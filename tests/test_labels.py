"""Monte-Carlo step labels: rules, estimates from a policy whose odds are known, and every format they are read from."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from scipy.stats import binom

from vpbench import Candidate, DataError, GradingMode, ImageRef, Question, Source, Task, Verdict
from vpbench.cli import main
from vpbench.generate.generator import Generator
from vpbench.labels.continuation import Continuer, Solution
from vpbench.labels.labelling import MonteCarlo
from vpbench.labels.read import read_labelled
from vpbench.labels.rules import StepEstimate, step_labels
from vpbench.prompts import Generation, Message, Prompt, Sampling
from vpbench.store import RowStore


def estimates(*pairs: tuple[int, int]) -> list[StepEstimate]:
    return [StepEstimate(*pair) for pair in pairs]


@pytest.mark.parametrize(
    ("rule", "threshold", "start", "expected"),
    [
        ("value", 0.0, 0.0, (1, 1, -1, -1)),
        ("value", 1 / 16, 0.0, (1, -1, -1, -1)),  # strictly above: 1 of 16 is not
        ("advantage", 0.0, 0.5, (0, -1, -1, 0)),
        ("advantage", 0.0, 0.25, (1, -1, -1, 0)),
    ],
)
def test_labels_by_rule(rule: Any, threshold: float, start: float, expected: tuple[int, ...]) -> None:
    assert step_labels(estimates((8, 16), (1, 16), (0, 16), (0, 0)), rule, threshold, start) == expected


@pytest.mark.parametrize(("correct", "total"), [(0, 16), (1, 16), (8, 16), (16, 16), (3, 7)])
def test_the_interval_is_where_the_exact_tails_are_two_and_a_half_percent(correct: int, total: int) -> None:
    low, high = StepEstimate(correct, total).interval()
    assert low == 0 if correct == 0 else binom.sf(correct - 1, total, low) == pytest.approx(0.025)
    assert high == 1 if correct == total else binom.cdf(correct, total, high) == pytest.approx(0.025)


class Sum(Task):
    """The answer is right when it is "7"."""

    name = "sum"
    title = "Sum"
    source = Source("none", "test", 1, "none", ())

    def question(self, row: Mapping[str, Any], images: tuple[Any, ...]) -> Question:
        raise NotImplementedError

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        answer = response.rsplit(maxsplit=1)[-1]
        return Verdict(answer, answer, answer == "7", "match")


@dataclass(frozen=True)
class Biased(Generator):
    """Reaches 7 with the odds that the prefix's last word says, and remembers what it was asked."""

    backend: ClassVar[str] = "test"
    model: str = ""
    fail: float = 0.0
    asked: Counter[str] = field(default_factory=Counter, compare=False)

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        for place, prompt in enumerate(prompts):
            prefix = prompt.messages[-1].text
            drawn = random.Random(prompt.seed)
            for _ in range(prompt.count):
                self.asked[prefix] += 1
                if drawn.random() < self.fail:
                    yield place, Generation("", error="refused")
                    continue
                right = drawn.random() < float(prefix.rsplit(maxsplit=1)[-1])
                yield place, Generation("\n\nso it is " + ("7" if right else "8"), "stop")


QUESTION = Question("sum", "q", "3 + 4?")


def solution(*steps: str, correct: bool = True) -> Solution:
    return Solution(QUESTION, Candidate("q", 0, "\n\n".join(steps)), steps, correct)


def continuer(folder: Path, policy: Generator, plan: MonteCarlo) -> Continuer:
    store = RowStore(folder, "continuations", {"test": 1})
    talk = {"q": (Message("user", QUESTION.text),)}
    return Continuer(Sum(), "robust", policy, talk, Sampling(), plan, store)


def test_estimates_follow_the_policys_odds_and_a_shared_prefix_is_continued_once(tmp_path: Path) -> None:
    policy = Biased()
    first, second = solution("a 0.5", "b 0.9", "it is 7"), solution("a 0.5", "c 0.0", "it is 8", correct=False)
    with (it := continuer(tmp_path, policy, MonteCarlo(400))).store:
        one, two = it.estimate([first, second])
    assert one is not None and two is not None
    assert [each.total for each in one] == [400, 400, 1] and one[0] == two[0]
    assert one[0].mc == pytest.approx(0.5, abs=0.1) and one[1].mc == pytest.approx(0.9, abs=0.06)
    assert two[1] == StepEstimate(0, 400) and (one[2].mc, two[2].mc) == (1, 0)
    assert policy.asked == {"a 0.5": 400, "a 0.5\n\nb 0.9": 400, "a 0.5\n\nc 0.0": 400}


def test_what_is_stored_is_not_drawn_again_and_more_continuations_draw_the_rest(tmp_path: Path) -> None:
    work = [solution("a 0.5", "it is 7")]
    with (it := continuer(tmp_path, Biased(), MonteCarlo(8))).store:
        before = it.estimate(work)
    again, more = Biased(), Biased()
    with (it := continuer(tmp_path, again, MonteCarlo(8))).store:
        assert it.estimate(work) == before and not again.asked
    with (it := continuer(tmp_path, more, MonteCarlo(20))).store:
        it.estimate(work)
    assert more.asked == {"a 0.5": 12}


def test_early_stop_leaves_the_steps_after_a_worthless_one_alone(tmp_path: Path) -> None:
    policy = Biased()
    work = solution("a 0.5", "b 0.0", "c 0.9", "d 0.9", "it is 8", correct=False)
    with (it := continuer(tmp_path, policy, MonteCarlo(16, early_stop=True))).store:
        (found,) = it.estimate([work])
    assert found is not None and [each.total for each in found] == [16, 16, 0, 0, 0]
    assert "a 0.5\n\nb 0.0\n\nc 0.9" not in policy.asked


def test_early_exit_gives_the_labels_of_mc_above_zero_for_fewer_continuations(tmp_path: Path) -> None:
    work = [solution(f"s {odds}", "it is 7") for odds in (0.0, 0.02, 0.3, 0.6, 0.9, 1.0)]
    full, quick = Biased(), Biased()
    with (it := continuer(tmp_path / "a", full, MonteCarlo(16, early_exit=True))).store:
        found = it.estimate(work)
    with (it := continuer(tmp_path / "b", quick, MonteCarlo(16))).store:
        it.estimate(work)
    assert sum(full.asked.values()) < 0.7 * sum(quick.asked.values())
    assert found[0] == (StepEstimate(0, 16), StepEstimate(1, 1))
    assert found[-1] == (StepEstimate(1, 1), StepEstimate(1, 1))
    assert all(each is not None and each[0].mc > 0 for each in found[2:])


def test_failed_continuations_are_not_counted_as_wrong(tmp_path: Path) -> None:
    with (it := continuer(tmp_path, Biased(fail=0.5), MonteCarlo(64))).store:
        (found,) = it.estimate([solution("a 1.0", "it is 7")])
    assert found is not None and 0 < found[0].total < 64 and found[0].mc == 1
    with (it := continuer(tmp_path / "all", Biased(fail=1.0), MonteCarlo(4))).store:
        assert it.estimate([solution("a 1.0", "it is 7")]) == [None]


RAW = {
    "image": "x.png",
    "question": "3 + 4?",
    "answer": "7",
    "response": "a\n\nb",
    "steps_with_score": [
        {"step": "a", "score": 0.5, "num_mc_correct": 8, "num_mc_total": 16},
        {"step": "b", "score": 0.0, "num_mc_correct": 0, "num_mc_total": 16},
    ],
}
CONVERSATION = {
    "id": -1,
    "image": "x.png",
    "conversations": [
        {"from": "system", "value": "judge"},
        {"from": "human", "value": "### Question:\n3 + 4?\n\n### Solution Process:\na"},
        {"from": "gpt", "value": "+"},
        {"from": "human", "value": "b"},
        {"from": "gpt", "value": "-"},
    ],
}
STEPWISE = {"prompt": "3 + 4?", "completions": ["a", "b"], "labels": [True, False]}


def write(path: Path, *rows: Mapping[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("row", [RAW, CONVERSATION, STEPWISE], ids=["raw", "conversations", "stepwise"])
def test_every_format_reads_as_the_same_solution(tmp_path: Path, row: Mapping[str, Any]) -> None:
    (found,) = read_labelled(write(tmp_path / "rows.jsonl", row))
    assert found.question.text == "3 + 4?" and found.candidate.steps == ("a", "b") and found.labels == (1, -1)
    assert [image.path for image in found.question.images] == ([tmp_path / "x.png"] if "image" in row else [])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": 1}, "line 1: not a labelled solution.*has a"),
        ({**RAW, "steps_with_score": []}, "line 1: a solution without steps"),
        ({**RAW, "steps_with_score": [{"step": "a"}]}, "line 1, step 0: needs `step`, `num_mc_correct`"),
        ({**RAW, "steps_with_score": [{"step": "a", "num_mc_correct": 3, "num_mc_total": 2}]}, "3 right of 2"),
        ({**CONVERSATION, "conversations": CONVERSATION["conversations"][:2]}, "turns must go human, gpt"),
        (
            {**CONVERSATION, "conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "+"}]},
            "first human turn lacks",
        ),
        ({**CONVERSATION, "conversations": ["human", "gpt"]}, "must be a list of objects with `from` and `value`"),
        ({**RAW, "start_mc": "high"}, "`start_mc` is 'high', expected a share from 0 to 1"),
        ({**STEPWISE, "labels": [True]}, "2 completions but 1 labels"),
        ({**STEPWISE, "labels": [True, "no"]}, "labels true or false"),
    ],
)
def test_a_bad_line_is_named_with_its_remedy(tmp_path: Path, row: Mapping[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(read_labelled(write(tmp_path / "rows.jsonl", row)))


class Labeller(Biased):
    """A policy whose solutions are right on even seeds and whose continuations have known odds."""

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        for place, prompt in enumerate(prompts):
            if prompt.messages[-1].role == "assistant":
                yield from ((place, each) for _, each in super().generate([prompt]))
                continue
            for number in range(prompt.count):
                right = (prompt.seed + number) % 2 == 0
                yield place, Generation(f"Look. 0.5\n\n{'Good. 1.0' if right else 'Bad. 0.0'}\n\nAnswer: 7", "stop")


def test_the_command_labels_writes_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Labeller()
    monkeypatch.setattr("vpbench.run.models.load_generator", lambda spec, settings: policy)
    command = [
        "label",
        "--nano",
        "--task",
        "mathvista",
        "--policy",
        "some/model",
        "--limit",
        "3",
        "--continuations",
        "8",
        "--output",
        str(tmp_path / "runs"),
        "--export",
        str(tmp_path / "out" / "rows.jsonl"),
    ]
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    assert done.exit_code == 0 and "12, " in done.output
    rows = [json.loads(text) for text in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 12 and {row["num_mc_sequences"] for row in rows} == {8}
    for row in rows:
        counts = [(step["num_mc_correct"], step["num_mc_total"]) for step in row["steps_with_score"]]
        assert [total for _, total in counts] == [8, 8, 1]
        assert all(step["low"] <= step["score"] <= step["high"] for step in row["steps_with_score"])
    found = list(read_labelled(tmp_path / "out" / "rows.jsonl"))
    assert [list(each.labels) for each in found] == [[s["label"] for s in row["steps_with_score"]] for row in rows]
    assert found[0].question.images[0].open().size[0] > 0
    asked = sum(policy.asked.values())
    again = CliRunner().invoke(main, command, catch_exceptions=False)
    assert again.exit_code == 0 and sum(policy.asked.values()) == asked
    assert [json.loads(text) for text in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()] == rows


def test_early_exit_is_refused_where_it_would_change_the_labels() -> None:
    done = CliRunner().invoke(
        main, ["label", "--task", "mathvista", "--policy", "m", "--early-exit", "--rule", "advantage"]
    )
    assert done.exit_code == 2 and "--early-exit biases mc" in done.output


class Numbered(Biased):
    """Remembers which draw of which seed it gave; draw 0 of a first try fails."""

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        for place, prompt in enumerate(prompts):
            for number in range(prompt.count):
                first_try = prompt.count > 2
                self.asked[f"{prompt.seed}/{number}"] += 1
                yield place, Generation("", error="refused") if first_try and number == 0 else Generation("\n\n7")


def test_a_continuation_that_failed_is_not_drawn_as_a_copy_of_another(tmp_path: Path) -> None:
    work, policy = [solution("a 0.5", "it is 7")], Numbered()
    for _ in range(2):
        with (it := continuer(tmp_path, policy, MonteCarlo(8))).store as store:
            store.forget([key for key, row in store.rows.items() if row["error"] is not None])
            it.estimate(work)
    assert len(policy.asked) == 9 and set(policy.asked.values()) == {1}


class ShortFirst(Biased):
    """Right continuations come back before wrong ones."""

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        yield from sorted(super().generate(prompts), key=lambda each: each[1].text)


def test_fewer_continuations_are_not_those_that_came_back_first(tmp_path: Path) -> None:
    work = [solution("a 0.5", "it is 7")]
    with (it := continuer(tmp_path, ShortFirst(), MonteCarlo(400))).store:
        (every,) = it.estimate(work)
    with (it := continuer(tmp_path, ShortFirst(), MonteCarlo(100))).store:
        (some,) = it.estimate(work)
    assert every is not None and some is not None and some[0].total == 100
    assert some[0].mc == pytest.approx(every[0].mc, abs=0.15)


def label(tmp_path: Path, *arguments: str, task: str = "mathvista") -> Any:
    command = [
        "label",
        "--nano",
        "--task",
        task,
        "--policy",
        "some/model",
        "--limit",
        "2",
        "--solutions",
        "2",
        "--output",
        str(tmp_path / "runs"),
        *arguments,
    ]
    return CliRunner().invoke(main, command, catch_exceptions=False)


def use(policy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpbench.run.models.load_generator", lambda spec, settings: policy)


def test_one_continuation_is_as_uncertain_as_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Labeller(), monkeypatch)
    assert label(tmp_path, "--continuations", "1", "--export", str(tmp_path / "rows.jsonl")).exit_code == 0
    for text in (tmp_path / "rows.jsonl").read_text().splitlines():
        *drawn, last = json.loads(text)["steps_with_score"]
        assert all(step["high"] - step["low"] == pytest.approx(0.975) for step in drawn)
        assert last["low"] == last["high"] == last["score"]


def test_official_grading_that_would_need_a_judge_is_refused_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(Labeller(), monkeypatch)
    official = ("--continuations", "1", "--grading", "official")
    done = label(tmp_path, *official, task="mathvision,mathvista")
    assert done.exit_code == 2
    assert "task 'mathvista': the official rule asks a language model" in done.output
    assert "--grading robust" in done.output
    assert not (tmp_path / "runs").exists()
    done = label(tmp_path, *official, task="mathvision")
    assert done.exit_code == 0, done.output
    assert "written to" in done.output


def test_a_file_that_can_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Labeller(), monkeypatch)
    (tmp_path / "file").write_text("")
    done = label(tmp_path, "--continuations", "1", "--export", str(tmp_path / "file" / "rows.jsonl"))
    assert done.exit_code == 2
    assert "rows.jsonl: can't be written" in done.output and "--export" in done.output


def test_a_solution_whose_image_is_broken_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Labeller(), monkeypatch)
    read = ImageRef.read
    broken: list[str] = []

    def read_but_one(self: ImageRef) -> bytes:
        broken[:] = broken or [self.name]
        if self.name in broken:
            raise DataError(f"missing image: {self.name}")
        return read(self)

    monkeypatch.setattr(ImageRef, "read", read_but_one)
    done = label(tmp_path, "--continuations", "1", "--export", str(tmp_path / "rows.jsonl"))
    assert done.exit_code == 0
    assert "2 solutions, the first of question '1': missing image" in done.output
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 2


class Down(Labeller):
    """Gives solutions and no continuation."""

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        if prompts[0].messages[-1].role != "assistant":
            yield from super().generate(prompts)
            return
        for place, prompt in enumerate(prompts):
            self.asked["continuations"] += prompt.count
            yield from ((place, Generation("", error="the server is down")) for _ in range(prompt.count))


def test_labelling_stops_when_no_continuation_can_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(policy := Down(), monkeypatch)
    monkeypatch.setattr("vpbench.labels.label._QUESTIONS_AT_ONCE", 1)
    done = label(tmp_path, "--continuations", "2")
    assert done.exit_code == 3
    assert "labelling stopped: 2 of 4 solutions" in done.output and "the server is down" in done.output
    assert policy.asked["continuations"] <= 2 * 2 * 2, "the second question wasn't tried"
