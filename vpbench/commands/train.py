"""What `vpbench train` does with its options: the critic's recipe with the given settings replaced, then the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vpbench.plugins import find_critic
from vpbench.progress import bar
from vpbench.train.recipe import Recipe
from vpbench.train.run import recipe_of, train_critic
from vpbench.train.settings import TrainingRun


def train_from_options(options: Mapping[str, Any], echo: Callable[[str], None]) -> list[Path]:
    """Train; the folders written. Options that are None leave the recipe's setting. Raises what `train_critic` raises,
    and `ConfigError` for an unknown critic or one without a recipe."""
    critic = find_critic(options["critic"]).cls
    names = [field.name for field in dataclasses.fields(Recipe)]
    given = {name: options[name] for name in names if options.get(name) is not None}
    recipe = dataclasses.replace(recipe_of(critic), **given)
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
