"""The command line's surface: frozen, quick, and free of heavy imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
from click.testing import CliRunner

from vpbench.cli import main

DRAWING = {"policy_args", "samples", "temperature", "top_p", "max_tokens", "first_greedy", "prompt"}
SURFACE = {
    "ablate": set(),
    "check": {"baseline", "result"},
    "compare": {"first", "second"},
    "conformance": {"folder"},
    "label": {
        "tasks", "policy", "policy_args", "solutions", "continuations", "max_steps", "rule", "threshold", "early_stop",
        "early_exit", "temperature", "top_p", "max_tokens", "prompt", "data", "grading", "limit", "seed",
        "max_error_rate", "output", "export", "nano",
    },
    "leaderboard": {"output", "site"},
    "list": set(),
    "nano": set(),
    "run": {
        "tasks", "critics", "critic_model", "critic_args", "released_tokenization", "pool", "policy", *DRAWING,
        "scores", "data", "grading", "judge", "judge_args", "trust_verdicts",
        "selection", "estimator", "aggregate", "ns", "threshold", "limit", "seed", "resamples", "max_error_rate",
        "output", "nano", "dry_run",
    },
    "sample": {
        "tasks", "policy", *DRAWING, "data", "limit", "seed", "max_error_rate", "output", "export", "nano", "dry_run",
    },
    "show": {"name"},
    "train": {
        "critic", "model", "data", "label_rule", "mc_threshold", "until_first_error", "class_weights", "epochs",
        "learning_rate", "weight_decay", "warmup", "batch_size", "batch_tokens", "max_tiles", "freeze_vision",
        "lora_rank", "bf16", "gradient_checkpointing", "packing", "seed", "output", "eval_data", "eval_every",
        "save_every", "resume", "fsdp", "dry_run",
    },
    "validate": {"task", "data", "grading"},
}  # fmt: skip


def test_the_surface_is_frozen() -> None:
    found = {name: {each.name for each in command.params} for name, command in main.commands.items()}
    assert found == SURFACE


def test_every_flag_has_its_environment_variable() -> None:
    for command in main.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                flag = next(name for name in parameter.opts if name.startswith("--"))
                assert parameter.envvar == "VPBENCH_" + flag[2:].replace("-", "_").upper()


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for part, each in getattr(command, "commands", {}).items():
        yield from commands(each, f"{name} {part}")


def test_every_command_and_option_says_what_it_is_for() -> None:
    found = dict(commands(main, "vpbench"))
    assert {"vpbench", "vpbench train", "vpbench nano build"} <= set(found)
    assert [name for name, command in found.items() if not (command.help or "").strip()] == []
    options = [(name, each) for name, command in found.items() for each in command.params]
    silent = [
        f"{name} {each.opts[0]}"
        for name, each in options
        if isinstance(each, click.Option) and not (each.help or "").strip()
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
