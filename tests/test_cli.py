"""The command line's surface: documented, quick, and free of heavy imports (`test_frozen.py` freezes it)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
from click.testing import CliRunner

from vpbench.cli import main


def test_every_flag_has_its_environment_variable() -> None:
    for command in main.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                flag = next(name for name in parameter.opts if name.startswith("--"))
                assert parameter.envvar == "VPBENCH_" + flag[2:].replace("-", "_").upper()


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for part, subcommand in getattr(command, "commands", {}).items():
        yield from commands(subcommand, f"{name} {part}")


def test_every_command_and_option_says_what_it_is_for() -> None:
    verbs = dict(commands(main, "vpbench"))
    assert {"vpbench", "vpbench train", "vpbench nano build"} <= set(verbs)
    assert [name for name, command in verbs.items() if not (command.help or "").strip()] == []
    options = [(name, parameter) for name, command in verbs.items() for parameter in command.params]
    silent = [
        f"{name} {parameter.opts[0]}"
        for name, parameter in options
        if isinstance(parameter, click.Option) and not (parameter.help or "").strip()
    ]
    assert silent == []


def test_help_imports_nothing_heavy() -> None:
    heavy = "torch transformers datasets pandas numpy scipy sklearn matplotlib sympy pyarrow PIL jinja2"
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom vpbench.cli import main\n"
        "done = CliRunner().invoke(main, ['run', '--help'])\nassert done.exit_code == 0\n"
        f"print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_list_and_show_need_no_data() -> None:
    listed = CliRunner().invoke(main, ["list"]).output
    assert "mathvista" in listed
    assert "self-consistency" in listed
    shown = CliRunner().invoke(main, ["show", "mathvista"]).output
    assert "AI4Math/MathVista" in shown
    assert "CC BY-SA 4.0" in shown
    assert "max_steps" in CliRunner().invoke(main, ["show", "visualprm"]).output
    unknown = CliRunner().invoke(main, ["show", "mathvist"])
    assert unknown.exit_code == 2
    assert "did you mean mathvista" in unknown.output
