"""What others rely on: the names of faces, the command line, the keys of result.json, the contracts of plugins.

`frozen.json` is the promise, one entry a line. Additions are welcome with an entry in CHANGELOG.md and a new
`frozen.json`, whose diff is then read line by line:

    PYTHONPATH=. python tests/test_frozen.py

Removing, renaming and reordering break somebody's scripts or plugins and aren't done so. What can break nobody needs no
new file: a field with a default at the end of a record, a member of a contract that isn't abstract.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import vpbench
from vpbench.cli import main

Section = dict[str, Any]

FILE = Path(__file__).with_name("frozen.json")
SCHEMA = Path(vpbench.__file__).parent / "report" / "result.schema.json"
FACES = ("vpbench", "vpbench.grade", "vpbench.scoring", "vpbench.generate")
CONTRACTS = (vpbench.Task, vpbench.StepTask, vpbench.Critic)
RECORDS = (
    vpbench.Question,
    vpbench.Candidate,
    vpbench.Verdict,
    vpbench.Score,
    vpbench.ImageRef,
    vpbench.LabelledSolution,
    vpbench.Source,
    vpbench.Reference,
    vpbench.Measure,
    vpbench.Recipe,
    vpbench.Drawn,
)
RUNS = {
    "best-of-n": ["--task", "mathvista", "--critic", "self-consistency", "--limit", "2", "--n", "1,2"],
    "steps": ["--task", "visualprocessbench", "--critic", "visualprm", "--limit", "9"],
}
NAMED_BY_DATA = {"errors", "step_f1.by_source", "provenance.versions", "provenance.critic_settings"}
"""Objects of a result whose keys are reasons, sources, packages or a critic's settings."""
PROMISE = (
    "a face is a promise: adding to it is fine with an entry in CHANGELOG.md and a new tests/frozen.json (see the "
    "docstring of tests/test_frozen.py); removing, renaming and reordering are not"
)


def faces() -> Section:
    return {name: importlib.import_module(name).__all__ for name in FACES}


def commands(command: click.Command = main, path: str = "vpbench") -> Section:
    """Every command, and every option and argument of it with all that a caller relies on."""
    section: Section = {path: {"help": command.context_settings.get("help_option_names", [])}}
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    for parameter in command.params:
        info = parameter.to_info_dict()
        kept = ("opts", "secondary_opts", "name", "required", "multiple", "default", "envvar", "is_flag", "flag_value")
        entry = {key: info.get(key) for key in kept} | {"type": _stated(info["type"])}
        if parameter in arguments:
            entry["position"] = arguments.index(parameter)
        section[f"{path} {parameter.opts[0]}"] = _stated(entry)
    for name, subcommand in getattr(command, "commands", {}).items():
        section |= commands(subcommand, f"{path} {name}")
    return section


def _stated(entry: dict[str, Any]) -> dict[str, Any]:
    """Without what is None, empty or off. A default that is off stays: None would let a recipe decide."""
    return {
        key: str(value) if isinstance(value, Path) else value
        for key, value in entry.items()
        if value is not None and value != [] and (value is not False or key == "default")
    }


def results() -> Section:
    """The keys of a Best-of-N result and of a step result, "a.b" for b in a, "a[].b" for b in a's items."""
    section: Section = {}
    for name, arguments in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            command = ["run", "--nano", *arguments, "--resamples", "100", "--output", folder]
            done = CliRunner().invoke(main, command, catch_exceptions=False)
            assert done.exit_code == 0, done.output
            (path,) = Path(folder).glob("results/*/result.json")
            section[name] = sorted(set(_keys(json.loads(path.read_text()))))
    return section


def _keys(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _keys(item, f"{path}[]")
    elif isinstance(value, dict) and path not in NAMED_BY_DATA:
        for key, part in value.items():
            inner = f"{path}.{key}".lstrip(".")
            yield inner
            yield from _keys(part, inner)


def schema() -> Section:
    """The keys that the schema asks for and allows, by the path of the object in the schema."""
    return dict(_objects(json.loads(SCHEMA.read_text()), "#"))


def _objects(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, list):
        node = dict(enumerate(node))
    if isinstance(node, dict):
        if "required" in node or "properties" in node:
            yield path, {"required": node.get("required", []), "properties": sorted(node.get("properties", {}))}
        for key, part in node.items():
            yield from _objects(part, f"{path}/{key}")


def contracts() -> Section:
    """Members of what plugins derive from: a method's parameters, a class variable's value where it has one."""
    section: Section = {}
    for contract in CONTRACTS:
        bases = [base for base in contract.__mro__ if base.__module__.startswith("vpbench")]
        names = {name for base in bases for name in {*vars(base), *inspect.get_annotations(base)}}
        for name in sorted(name for name in names if not name.startswith("_")):
            member = inspect.getattr_static(contract, name, "to be given")
            if inspect.isfunction(member):
                abstract = "abstract " * (name in contract.__abstractmethods__)
                member = f"{abstract}({', '.join(map(_parameter, inspect.signature(member).parameters.values()))})"
            else:
                member = str(member)
            section[f"{contract.__name__}.{name}"] = member
    return section


def _parameter(parameter: inspect.Parameter) -> str:
    return str(parameter.replace(annotation=inspect.Parameter.empty))


def records() -> Section:
    """Fields in order, each with its default: "to be given" without one."""
    return {record.__name__: [_field(field) for field in dataclasses.fields(record)] for record in RECORDS}


def _field(field: dataclasses.Field[Any]) -> list[str]:
    if field.default_factory is not dataclasses.MISSING:
        return [field.name, f"{field.default_factory.__name__}()"]  # type: ignore[attr-defined]
    return [field.name, "to be given" if field.default is dataclasses.MISSING else repr(field.default)]


SECTIONS = {section.__name__: section for section in (faces, commands, results, schema, contracts, records)}


def current(section: str) -> Section:
    return json.loads(json.dumps(SECTIONS[section]()))


def frozen(section: str) -> Section:
    return json.loads(FILE.read_text(encoding="utf-8"))[section]


@pytest.mark.parametrize("section", ["faces", "commands", "results", "schema"])
def test_nothing_is_added_removed_or_changed_unnoticed(section: str) -> None:
    assert current(section) == frozen(section), PROMISE


@pytest.mark.parametrize("face", FACES)
def test_every_name_of_a_face_is_there(face: str) -> None:
    module = importlib.import_module(face)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_contracts_keep_their_members_and_ask_for_no_new_ones() -> None:
    now, promised = current("contracts"), frozen("contracts")
    assert {name: now.get(name) for name in promised} == promised, PROMISE
    added = now.keys() - promised.keys()
    assert [name for name in added if now[name].startswith("abstract") or now[name] == "to be given"] == [], PROMISE


@pytest.mark.parametrize("record", [record.__name__ for record in RECORDS])
def test_records_only_grow_at_the_end_and_by_defaults(record: str) -> None:
    now, promised = current("records")[record], frozen("records")[record]
    assert now[: len(promised)] == promised, PROMISE
    assert [name for name, default in now[len(promised) :] if default == "to be given"] == [], PROMISE


def _written() -> str:
    sections = []
    for name in SECTIONS:
        entries = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in current(name).items())
        sections.append(f' "{name}": {{\n{entries}\n }}')
    return "{\n" + ",\n".join(sections) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(_written(), encoding="utf-8")
