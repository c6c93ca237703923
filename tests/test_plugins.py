"""Finding tasks and critics: by name, by file, with near matches, and never two of one name."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from vpbench import ConfigError
from vpbench.plugins import all_critics, all_tasks, critic_settings, find_critic, find_task, make_critic

CRITIC = """
from dataclasses import dataclass
from typing import ClassVar
from vpbench import Critic, Score

@dataclass(frozen=True)
class Mine(Critic):
    name: ClassVar[str] = "{name}"
    title: ClassVar[str] = "Mine"
    model: str = ""
    steps: int = 3
    scale: float = 1.0
    flag: bool = False
    system: str | None = None

    def score(self, question, candidates):
        return [Score(self.scale) for _ in candidates]
"""


def plugin_file(tmp_path: Path, name: str = "mine") -> str:
    path = tmp_path / "mine.py"
    path.write_text(CRITIC.format(name=name))
    return str(path)


def test_the_built_in_ones_are_found_by_file() -> None:
    assert {"mathvista", "mathvision", "visualprocessbench"} <= all_tasks().keys()
    assert {"visualprm", "self-consistency"} <= all_critics().keys()
    assert find_task("mathvista").path.name == "mathvista.py"


def test_an_unknown_name_lists_near_matches() -> None:
    with pytest.raises(ConfigError, match="'mathvsta'; did you mean mathvista or"):
        find_task("mathvsta")
    with pytest.raises(ConfigError, match="there are: .*self-consistency"):
        find_critic("zzzzzzzzzzz")


def test_a_users_file_works_like_a_built_in(tmp_path: Path) -> None:
    plugin = find_critic(plugin_file(tmp_path))
    assert plugin.cls.name == "mine"
    assert critic_settings(plugin.cls) == {"model": "", "steps": 3, "scale": 1.0, "flag": False, "system": None}
    given = {"steps": "5", "scale": "0.5", "flag": "true", "system": "none", "model": "m"}
    critic = make_critic(plugin.cls, given)
    assert [getattr(critic, name) for name in given] == [5, 0.5, True, None, "m"]


@pytest.mark.parametrize(
    ("given", "message"),
    [({"steps": "many"}, "steps='many' is not of type int"), ({"flag": "maybe"}, "flag='maybe' is not of type bool")],
)
def test_wrong_settings_are_named(tmp_path: Path, given: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_critic(find_critic(plugin_file(tmp_path)).cls, given)


def test_a_duplicate_name_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin_file(tmp_path, "same")
    (tmp_path / "other.py").write_text(CRITIC.format(name="same"))
    monkeypatch.setattr("vpbench.plugins.builtin_folder", lambda kind: tmp_path)
    with pytest.raises(ConfigError, match=r"two critics are called 'same': .*mine\.py and .*other\.py"):
        all_critics()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 +", "fails on import .SyntaxError"),
        ("import sys; sys.exit()", "fails on import .SystemExit"),
        ("x = 1", "needs exactly one Critic class"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(ConfigError, match=message):
        find_critic(str(tmp_path / "broken.py"))
    with pytest.raises(ConfigError, match="not a Python file"):
        find_critic(str(tmp_path / "none.py"))


@pytest.mark.parametrize("text", ["1 +", "raise SystemExit(0)", "import nothing_of_this_name"])
def test_a_broken_entry_point_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "broken_of_a_package.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("theirs", "broken_of_a_package", "vpbench.critics")
    monkeypatch.setattr("vpbench.plugins.entry_points", lambda group: [point])
    with pytest.raises(ConfigError, match="entry point theirs = broken_of_a_package: the plugin fails on import"):
        all_critics()


def test_a_critic_that_is_no_dataclass_is_refused(tmp_path: Path) -> None:
    path = Path(plugin_file(tmp_path))
    path.write_text(path.read_text().replace("@dataclass(frozen=True)\n", ""))
    with pytest.raises(ConfigError, match=r"mine\.py: Mine is no dataclass.*write @dataclasses"):
        find_critic(str(path))


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("name = 5", "a text"),
        ("name = ''", "a text"),
        ("title = None", "a text"),
        ("version = 'new'", "a whole number"),
        ("selection = 'bset'", "best, vote, weighted-vote"),
        ("questions_at_once = 0", "a whole number from 1"),
        ("step_threshold = float('nan')", "a number"),
    ],
)
def test_what_a_class_says_of_itself_is_checked(tmp_path: Path, attribute: str, expected: str) -> None:
    path = Path(plugin_file(tmp_path))
    path.write_text(path.read_text() + f"\n    {attribute}\n")
    with pytest.raises(ConfigError, match=rf"mine\.py: Mine\.{attribute.split()[0]} is .*, expected {expected}"):
        find_critic(str(path))


def test_a_task_without_a_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(
        "from vpbench import Task\nclass Mine(Task):\n    name = title = 'mine'\n    source = None\n"
        "    def question(self, row, images): ...\n    def grade(self, question, response, mode): ...\n"
    )
    with pytest.raises(ConfigError, match=r"Mine\.source is None, expected a vpbench\.Source"):
        find_task(str(tmp_path / "task.py"))
