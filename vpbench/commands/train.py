"""What `vpbench train` does with its options: the critic's recipe with the given settings replaced, then the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vpbench.base import Critic
from vpbench.errors import ConfigError
from vpbench.plugins import find_critic, make_critic
from vpbench.progress import bar
from vpbench.train.recipe import Recipe
from vpbench.train.run import recipe_of, train_critic
from vpbench.train.settings import TrainingRun, trained_settings


def train_from_options(options: Mapping[str, Any], echo: Callable[[str], None]) -> list[Path]:
    """Train; the folders written. Options that are None leave the recipe's setting. Raises what `train_critic` raises,
    and `ConfigError` for an unknown critic or one without a recipe."""
    cls = find_critic(options["critic"]).cls
    names = [field.name for field in dataclasses.fields(Recipe)]
    given = {name: options[name] for name in names if options.get(name) is not None}
    recipe = dataclasses.replace(recipe_of(cls), **given)
    critic = _critic(cls, options["critic_args"])
    run = TrainingRun(
        model=options["model"],
        data=tuple(map(Path, options["data"])),
        output=options["output"],
        eval_data=options["eval_data"],
        eval_every=options["eval_every"],
        save_every=options["save_every"],
        resume=options["resume"],
        fsdp=options["fsdp"],
    )
    return train_critic(critic, run, recipe, bar, echo, options["dry_run"])


def _critic(cls: type[Critic], given: Mapping[str, str]) -> Critic:
    names = trained_settings(cls)
    if others := sorted(given.keys() - set(names)):
        raise ConfigError(
            f"critic {cls.name!r}: {', '.join(others)} can't be set in training, only "
            f"{', '.join(names) or 'the recipe'}; `vpbench train --help` shows the settings of the recipe"
        )
    return make_critic(cls, given)
