"""One run of many tasks loads each critic and each policy once, and counts what they use task by task."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pytest
from chat_server import chat_server, completion
from click.testing import CliRunner, Result

from vpbench import ConfigError
from vpbench.cli import main
from vpbench.generate import Generation, Generator, Prompt
from vpbench.generate.generator import BACKENDS
from vpbench.pipeline import prepare
from vpbench.plugins import find_critic
from vpbench.report.result import run_provenance

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
        return [Score(float(len(each.response))) for each in candidates]
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
    return vpbench("run", "--nano", "--task", ",".join(TASKS), "--critic", critics, "--limit", 2,
                   "--output", folder / "runs", *arguments)  # fmt: skip


Finished = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> Finished:
    """What results would say of how they came about, by task and critic; no statistics are computed."""
    found: Finished = {}

    def finish(prepared: Any, scored: Any, analysis: Any) -> Path:
        found[prepared.task.name, scored.critic] = run_provenance(prepared, scored, analysis)
        return Path("unwritten")

    monkeypatch.setattr("vpbench.runner._finish", finish)
    return found


def test_critics_and_policy_are_loaded_once_for_all_tasks(
    tmp_path: Path, policy: list[str], finished: Finished
) -> None:
    critics = f"{critic_file(tmp_path, 'one')},{critic_file(tmp_path, 'two')}"
    done = run(tmp_path, critics, "--critic-args", f"log={tmp_path}/log", *policy, "--samples", 3)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "log").read_text().splitlines() == ["load policy", "load one", "load two"]
    assert set(finished) == {(task, critic) for task in TASKS for critic in ("one", "two")}
    assert [each["drawing"]["used_in_this_run"] for each in finished.values()] == [{"requests": 6}] * 6


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
        kept.append((when, sum(type(each) is CountedPolicy for each in gc.get_objects())))

    def grading(*rest: Any) -> Any:
        look("grading")
        return prepare(*rest)

    monkeypatch.setattr(find_critic(str(critic)).cls, "prepare", lambda _: look("scoring"))
    monkeypatch.setattr("vpbench.runner.prepare", grading)
    if fails:
        monkeypatch.setattr("vpbench.runner._check_ns", _refuse_the_last())
    done = run(tmp_path, str(critic), *policy, "--samples", 3)
    assert done.exit_code == (2 if fails else 0), done.output
    assert kept == [("grading", 0)] * len(TASKS) + [("scoring", 0)]
    assert len(finished) == len(TASKS) - fails


def _refuse_the_last() -> Any:
    seen: list[str] = []

    def check(prepared: Any, _: Any) -> None:
        seen.append(prepared.task.name)
        if len(seen) == len(TASKS):
            raise ConfigError("not this one")

    return check


def test_each_task_counts_what_the_critic_used_on_it(tmp_path: Path, finished: Finished) -> None:
    with chat_server(lambda *_: completion("Yes", logprobs={"Yes": -0.1, "No": -2.5})) as server:
        done = run(tmp_path, "mllm-judge", "--critic-model", "openai:m", "--critic-args",
                   f"model_args=base_url={server.url},mode=response")  # fmt: skip
        assert done.exit_code == 0, done.output
    used = [each["critic_used_in_this_run"]["requests"] for each in finished.values()]
    assert sum(used) == len(server.bodies)
    assert min(used) > 0


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
    found = set(finished)
    assert {(task, critic) for task in before for critic in ("good", "bad", "last")} <= found
    assert {task for task, critic in found if critic != "good"} == set(before)
