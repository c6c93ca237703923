"""A shipped critic's `version` rises whenever its prompts, read-outs, weighing, steps or default settings change.

Stored scores are kept under the version, so that an upgrade of vpbench costs no scoring and a change serves no stale
score. `critic_versions.json` holds of each critic its version and what it did then, as digests. After a change that is
meant, raise `version` in the critic's file (a critic without one has 1) and write that file anew:

    PYTHONPATH=. python tests/test_critic_versions.py
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
from critic_records import record

from vpbench.plugins import all_critics, builtin_folder

FILE = Path(__file__).with_name("critic_versions.json")
WRITE = "PYTHONPATH=. python tests/test_critic_versions.py"
SHIPPED = {name: critic for name, critic in all_critics().items() if critic.path.parent == builtin_folder("critics")}

Entry = dict[str, int | str]


def entry(name: str) -> Entry:
    """A critic's version and the digests of what it does."""
    cls = SHIPPED[name].cls
    parts = {part: json.dumps(value, sort_keys=True) for part, value in record(cls).items()}
    digests = {part: hashlib.sha256(text.encode()).hexdigest()[:16] for part, text in parts.items()}
    return {"version": cls.version, **digests}


def complaint(name: str, kept: Entry | None, now: Entry) -> str | None:
    """What is wrong with a critic's version, if anything."""
    if kept == now:
        return None
    if kept is None:
        return f"critic {name} is new; enter it by {WRITE}"
    changed = ", ".join(part for part in now if part != "version" and now[part] != kept.get(part))
    if changed and int(now["version"]) <= int(kept["version"]):
        return (
            f"critic {name}: other {changed}, and `version` is {now['version']} as before, so scores of the older code "
            f"would be served as its own; raise `version` in critics/{SHIPPED[name].path.name}, then {WRITE}"
        )
    return f"critic {name}: {FILE.name} is of version {kept['version']}, this is {now['version']}; run {WRITE}"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_change_raises_the_version(name: str) -> None:
    problem = complaint(name, json.loads(FILE.read_text()).get(name), entry(name))
    assert problem is None, problem


def test_no_critic_is_forgotten() -> None:
    assert set(json.loads(FILE.read_text())) == set(SHIPPED)


@pytest.mark.parametrize(
    ("constant", "value", "critics", "parts"),
    [
        ("vpbench.models.conversation.USER_ROLE", "<|im_start|>human\n", {"visualprm", "orm"}, {"prompts"}),
        ("vpbench.prompts._REASON", "Think.", {"likelihood"}, {"prompts"}),
        ("vpbench.scoring.verdicts.LEAST_MASS", 2.0, {"mllm-judge"}, {"scores"}),
    ],
)
def test_a_change_is_noticed(
    monkeypatch: pytest.MonkeyPatch, constant: str, value: object, critics: set[str], parts: set[str]
) -> None:
    before = {name: entry(name) for name in SHIPPED}
    monkeypatch.setattr(constant, value)
    after = {name: entry(name) for name in SHIPPED}
    assert {name for name in SHIPPED if before[name] != after[name]} == critics
    for name in critics:
        assert {part for part in after[name] if after[name][part] != before[name][part]} == parts
        assert f"raise `version` in critics/{SHIPPED[name].path.name}" in str(
            complaint(name, before[name], after[name])
        )
        raised = {**after[name], "version": 99}
        assert str(complaint(name, before[name], raised)).endswith(f"run {WRITE}")


def write() -> None:
    """Write the file anew; a critic that changed without a new version stops it."""
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    entries = {name: entry(name) for name in sorted(SHIPPED)}
    problems = [str(complaint(name, kept.get(name), now)) for name, now in entries.items()]
    refused = [problem for problem in problems if "raise `version`" in problem]
    if refused:
        sys.exit("\n".join(refused))
    lines = [f"  {json.dumps(name)}: {json.dumps(now)}" for name, now in entries.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    write()
