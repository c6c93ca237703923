"""Every option of the commands ends in a setting: none is dropped on the way, none sets two things by accident."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from click.testing import CliRunner

from vpbench import api
from vpbench.cli import main
from vpbench.commands.label import label_all
from vpbench.commands.sample import sample_all
from vpbench.endpoint.budget import budget
from vpbench.labels.labelling import Labelling, MonteCarlo
from vpbench.prompts import Sampling
from vpbench.run.analysis import Analysis
from vpbench.run.policy import Drawing
from vpbench.run.request import Request
from vpbench.run.study import CriticOptions
from vpbench.settings import check_claimed

CALLED = {"tasks": "task", "critics": "critic"}
"""What `vpbench.run` calls options of the command."""
DRAWN = (Request, Drawing, Sampling)


@pytest.mark.parametrize(
    ("verb", "command", "classes", "shared"),
    [
        ("run", api.run, (*DRAWN, Analysis, CriticOptions), {"seed"}),
        ("sample", sample_all, DRAWN, set()),
        ("label", label_all, (*DRAWN, Labelling, MonteCarlo), {"seed", "grading"}),
    ],
)
def test_every_option_is_claimed_once(
    verb: str, command: Callable[..., Any], classes: tuple[type, ...], shared: set[str]
) -> None:
    options = {parameter.name for parameter in main.commands[verb].params if parameter.expose_value}
    if verb == "run":
        options = {CALLED.get(str(name), name) for name in options} - {"dry_run", "study_file", "style"}
    assert options
    # The budget is taken off by the context that holds it, whatever the command.
    parameters = inspect.signature(command).parameters.keys() | inspect.signature(budget).parameters.keys()
    claims = {
        name: [cls.__name__ for cls in classes if name in {field.name for field in fields(cls)}]
        for name in options - parameters
    }
    assert {name: owners for name, owners in claims.items() if not owners} == {}
    assert {name for name, owners in claims.items() if len(owners) > 1} == shared


@pytest.mark.parametrize("verb", ["run", "sample", "label"])
def test_an_option_that_no_setting_takes_is_not_dropped(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for parameter in main.commands[verb].params:
        if parameter.name == "max_error_rate":
            monkeypatch.setattr(parameter, "name", "error_rate")
    command = [verb, "--nano", "--task", "mathvista", "--policy", "nano", "--max-error-rate", "0.5"]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 1
    message = "vpbench.run has no option 'error_rate'" if verb == "run" else "has error_rate"
    assert "unexpected TypeError: " in result.output and message in result.output


def test_options_are_checked_against_the_fields_of_all_classes() -> None:
    check_claimed({"seed": 1, "top_p": 0.5}, Drawing, Sampling)
    with pytest.raises(TypeError, match="no Drawing or Sampling has colour, speed"):
        check_claimed({"speed": 1, "seed": 1, "colour": 2}, Drawing, Sampling)
