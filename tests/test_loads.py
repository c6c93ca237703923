"""One run of many tasks loads each critic and each policy once, and counts what they use task by task."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from chat_server import chat_server, completion
from click.testing import CliRunner, Result

from vpbench import ConfigError
from vpbench.cli import main
from vpbench.generate import Generation, Generator, Prompt
from vpbench.generate.generator import BACKENDS
from vpbench.plugins import find_critic
from vpbench.pools.scores import read_scores
from vpbench.progress import bar
from vpbench.report.provenance import run_provenance
from vpbench.run.candidates import CandidatePlan
from vpbench.run.pipeline import prepare

TASKS = ("logicvista", "mathvista", "mathvision")
CRITIC = """
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from vpbench import Critic, Score

@dataclass(frozen=True)
class Loading(Critic):
    name: ClassVar[str] = "NAME"
    title: ClassVar[str] = "Logs when it is loaded"
    log: str = ""

    def prepare(self):
        with Path(self.log).open("a") as log:
            log.write("load NAME\\n")

    def score(self, question, candidates):
        if question.task == FAILS_ON:
            return [Score(None, None, "broken") for _ in candidates]
        return [Score(float(len(candidate.response))) for candidate in candidates]
"""


@dataclass(frozen=True)
class CountedPolicy(Generator):
    """Counts its loads in `log`, and tells what it used."""

    backend: ClassVar[str] = "counted"

    model: str = ""
    log: str = ""

    def prepare(self) -> None:
        self._model  # noqa: B018

    @cached_property
    def _model(self) -> dict[str, float]:
        with Path(self.log).open("a") as log:
            log.write("load policy\n")
        return {}

    def usage(self) -> dict[str, float]:
        return dict(self.__dict__.get("_model", {}))

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        for position, prompt in enumerate(prompts):
            for _ in range(prompt.count):
                self._model["requests"] = self._model.get("requests", 0) + 1
                yield position, Generation("Answer: 1", "stop", 3)


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.setitem(BACKENDS, "counted", f"{__name__}:CountedPolicy")
    return ["--policy", "counted:m", "--policy-args", f"log={tmp_path}/log"]


def vpbench(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


def critic_file(folder: Path, name: str, fails_on: str | None = None) -> Path:
    path = folder / f"{name}.py"
    path.write_text(CRITIC.replace("NAME", name).replace("FAILS_ON", repr(fails_on)))
    return path


def run(folder: Path, critics: str, *arguments: object) -> Result:
    return vpbench(
        "run",
        "--nano",
        "--task",
        ",".join(TASKS),
        *(["--critic", critics] if critics else []),
        "--limit",
        2,
        "--output",
        folder / "runs",
        *arguments,
    )


Finished = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> Finished:
    """What results would say of how they came about, by task and critic; no statistics are computed."""
    finished: Finished = {}

    def finish(prepared: Any, scored: Any, analysis: Any) -> Any:
        finished[prepared.task.name, scored.critic] = asdict(run_provenance(prepared, scored, analysis, 0.0))
        return SimpleNamespace(result=None)

    monkeypatch.setattr("vpbench.api._finish", finish)
    monkeypatch.setattr("vpbench.api._show", lambda *_: None)
    monkeypatch.setattr("vpbench.api.in_a_line", lambda _: "unwritten")
    return finished


def test_critics_and_policy_are_loaded_once_for_all_tasks(
    tmp_path: Path, policy: list[str], finished: Finished
) -> None:
    critics = f"{critic_file(tmp_path, 'one')},{critic_file(tmp_path, 'two')}"
    done = run(tmp_path, critics, "--critic-args", f"log={tmp_path}/log", *policy, "--samples", 3)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "log").read_text().splitlines() == ["load policy", "load one", "load two"]
    assert set(finished) == {(task, critic) for task in TASKS for critic in ("one", "two")}
    assert [provenance["drawing"]["used_in_this_run"] for provenance in finished.values()] == [{"requests": 6}] * 6


def test_a_checkpoint_is_read_once_for_all_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Finished
) -> None:
    from vpbench.scoring import critic, load

    read: list[str] = []

    def counted(folder: str, *rest: Any, **named: Any) -> Any:
        read.append(Path(folder).name)
        return load.load_step_scorer(folder, *rest, **named)

    monkeypatch.setattr(critic, "load_step_scorer", counted)
    done = run(tmp_path, "visualprm,orm")
    assert done.exit_code == 0, done.output
    assert read == ["prm", "orm"]
    assert len(finished) == 6


def test_sample_and_label_load_their_policy_once(tmp_path: Path, policy: list[str]) -> None:
    shared = ["--nano", "--task", ",".join(TASKS), "--limit", 2, *policy, "--output", tmp_path / "runs"]
    sampled = vpbench("sample", *shared, "--samples", 3)
    assert sampled.exit_code == 0, sampled.output
    assert sampled.output.count("used      6 requests") == len(TASKS)
    assert (tmp_path / "log").read_text() == "load policy\n"
    labelled = vpbench("label", *shared, "--solutions", 2)
    assert labelled.exit_code == 0, labelled.output
    assert (tmp_path / "log").read_text() == "load policy\n" * 2


@pytest.mark.parametrize("fails", [False, True])
def test_the_policy_is_let_go_before_grading_and_before_a_critic_is_made_ready(
    tmp_path: Path, policy: list[str], finished: Finished, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    kept: list[tuple[str, int]] = []
    critic = critic_file(tmp_path, "looking")

    def look(when: str) -> None:
        kept.append((when, sum(type(thing) is CountedPolicy for thing in gc.get_objects())))

    prepared = _refuse_the_last() if fails else prepare

    def grading(*rest: Any) -> Any:
        look("grading")
        return prepared(*rest)

    monkeypatch.setattr(find_critic(str(critic)).cls, "prepare", lambda _: look("scoring"))
    monkeypatch.setattr("vpbench.run.study.prepare", grading)
    done = run(tmp_path, str(critic), *policy, "--samples", 3)
    assert done.exit_code == (2 if fails else 0), done.output
    assert kept == [("grading", 0)] * len(TASKS) + [("scoring", 0)]
    assert len(finished) == len(TASKS) - fails


def _refuse_the_last() -> Any:
    seen: list[str] = []

    def refusing(*rest: Any) -> Any:
        seen.append(rest[0].cls.name)
        if len(seen) == len(TASKS):
            raise ConfigError("not this one")
        return prepare(*rest)

    return refusing


def test_each_task_counts_what_the_critic_used_on_it(tmp_path: Path, finished: Finished) -> None:
    with chat_server(lambda *_: completion("Yes", logprobs={"Yes": -0.1, "No": -2.5})) as server:
        done = run(
            tmp_path,
            "mllm-judge",
            "--critic-model",
            "openai:m",
            "--critic-args",
            f"model_args=base_url={server.url},mode=response",
        )
        assert done.exit_code == 0, done.output
    used = [provenance["critic_used_in_this_run"]["requests"] for provenance in finished.values()]
    assert sum(used) == len(server.bodies)
    assert min(used) > 0


@pytest.mark.parametrize("fails_on", [None, TASKS[1]])
def test_a_critic_and_the_plans_are_let_go_before_the_next_critic_is_made_ready(
    tmp_path: Path, finished: Finished, monkeypatch: pytest.MonkeyPatch, fails_on: str | None
) -> None:
    one, two = critic_file(tmp_path, "one", fails_on), critic_file(tmp_path, "two")
    first, second = find_critic(str(one)).cls, find_critic(str(two)).cls
    kept: list[tuple[str, int, int]] = []

    def look(critic: Any) -> None:
        alive = [type(thing) for thing in gc.get_objects()]
        kept.append((critic.name, sum(alive.count(kind) for kind in (first, second)), alive.count(CandidatePlan)))

    for kind in (first, second):
        monkeypatch.setattr(kind, "prepare", look)
    done = run(tmp_path, f"{one},{two}")
    assert done.exit_code == (3 if fails_on else 0), done.output
    assert kept == [("one", 2, 0), ("two", 1, 0)]


def test_bars_name_their_task(
    tmp_path: Path, policy: list[str], finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def recorded(what: str, total: int) -> Any:
        shown.append(what)
        return bar(what, total)

    monkeypatch.setattr("vpbench.commands.run.bar", recorded)
    done = run(tmp_path, "self-consistency", *policy, "--samples", 3)
    assert done.exit_code == 0, done.output
    for verb, after in (("drawing", " (m)"), ("grading", ""), ("scoring", " (self-consistency)")):
        assert [what for what in shown if what.startswith(verb)] == [f"{verb} {task}{after}" for task in TASKS]


@pytest.mark.parametrize("fails_on", TASKS[1:])
def test_what_fails_on_a_task_leaves_the_results_of_those_before_it(
    tmp_path: Path, finished: Finished, fails_on: str
) -> None:
    critics = [critic_file(tmp_path, "good"), critic_file(tmp_path, "bad", fails_on), critic_file(tmp_path, "last")]
    done = run(tmp_path, ",".join(map(str, critics)), "--critic-args", f"log={tmp_path}/log")
    assert done.exit_code == 3
    assert "scoring with bad stopped" in done.output
    assert "broken" in done.output
    before = TASKS[: TASKS.index(fails_on)]
    results = set(finished)
    assert {(task, critic) for task in before for critic in ("good", "bad", "last")} <= results
    assert {task for task, critic in results if critic != "good"} == set(before)


def test_every_failure_is_told_with_task_and_critic_and_the_first_ends_the_run(
    tmp_path: Path, finished: Finished
) -> None:
    critics = [critic_file(tmp_path, "late", TASKS[2]), critic_file(tmp_path, "early", TASKS[1])]
    done = run(tmp_path, ",".join(map(str, critics)), "--critic-args", f"log={tmp_path}/log")
    assert done.exit_code == 3
    messages = done.stderr.splitlines()
    assert [line.partition(" stopped:")[0] for line in messages] == [
        f"vpbench: task {TASKS[2]}, critic late: scoring with late",
        f"vpbench: task {TASKS[1]}, critic early: scoring with early",
    ]


def test_what_fails_before_any_critic_is_told_with_its_task(
    tmp_path: Path, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpbench.run.study.prepare", _refuse_the_last())
    done = run(tmp_path, "self-consistency")
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [f"vpbench: task {TASKS[2]}: not this one"]
    assert len(finished) == len(TASKS) - 1


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        ("run", ["--samples", 1, "--critic", "visualprm"], "visualprocessbench' brings its own solutions"),
        ("run", ["--samples", 1, "--critic", "visualprm", "--dry-run"], "leave --policy out"),
        ("run", ["--samples", 1, "--scores", "none.jsonl"], "none.jsonl: can't be read"),
        ("sample", ["--samples", 1], "'visualprocessbench' is a step-detection task"),
        ("label", ["--solutions", 1], "'visualprocessbench' is a step-detection task"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_drawn(
    tmp_path: Path, policy: list[str], verb: str, arguments: list[Any], message: str
) -> None:
    tasks = "visualprocessbench" if "--critic" in arguments else "mathvista,visualprocessbench"
    done = vpbench(verb, "--nano", "--task", tasks, "--limit", 2, *policy, "--output", tmp_path / "runs", *arguments)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert not (tmp_path / "log").exists()
    assert done.stdout == ""


@pytest.mark.parametrize("tasks", ["mathvista,visualprocessbench,mathvision", "visualprocessbench,mathvista"])
def test_a_step_task_takes_no_candidates_where_others_do(
    tmp_path: Path, policy: list[str], finished: Finished, tasks: str
) -> None:
    policies = ["--policy", "one=counted:m,two=counted:n", *policy[2:], "--samples", 2]
    output = ["--limit", 2, "--output", tmp_path / "runs"]
    done = vpbench("run", "--nano", "--task", tasks, "--critic", "a=visualprm,b=orm", *policies, *output)
    assert done.exit_code == 0, done.output
    names = tasks.split(",")
    drawn = [name for name in names if name != "visualprocessbench"] * 2
    assert set(finished) == {(task, critic) for task in names for critic in ("visualprm", "orm")}
    assert (tmp_path / "log").read_text() == "load policy\n" * 2
    assert f"{2 * (len(drawn) + 1)} results" in done.stdout
    assert finished["visualprocessbench", "orm"]["drawing"] is None


@pytest.mark.parametrize("folder", [False, True])
def test_a_pool_is_of_the_tasks_that_take_one(tmp_path: Path, folder: bool) -> None:
    pool = tmp_path / "mathvista.jsonl"
    pool.write_text(json.dumps({"question_id": "1", "candidates": [{"response": "4"}]}) + "\n")
    shared = ["--critic", "counting=visualprm", "--nano", "--limit", 1, "--resamples", 100]
    given = ["--pool", tmp_path if folder else pool, "--output", tmp_path / "runs"]
    done = vpbench("run", "--task", "visualprocessbench,mathvista", *shared, *given)
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "runs/results").iterdir())) == 2
    alone = vpbench("run", "--task", "visualprocessbench", *shared, *given)
    assert alone.exit_code == 2
    assert "task 'visualprocessbench' brings its own solutions; leave --pool out" in alone.output


def test_scores_are_read_once_for_all_tasks(
    tmp_path: Path, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(path: Path) -> Any:
        read.append(path)
        return read_scores(path)

    monkeypatch.setattr("vpbench.run.scorers.read_scores", counted)
    scores = tmp_path / "scores.jsonl"
    lines = [{"question_id": id, "candidates": [{"score": 1}] * 128} for id in ("1", "2", "v1_1", "v1_2")]
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run(tmp_path, "", "--scores", f"mine={scores}")
    assert done.exit_code == 0, done.output
    assert read == [scores]
    assert set(finished) == {(task, "mine") for task in TASKS}
