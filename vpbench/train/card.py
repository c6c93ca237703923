"""The model card of a trained critic: what it was trained from, on which labels, how, and what came out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vpbench.errors import DataError
from vpbench.recipe import Recipe

PACKAGES = ("vpbench", "torch", "transformers", "accelerate", "peft")
"""Whose versions a card names."""


def file_record(path: Path) -> dict[str, str]:
    """Name and SHA-256 of a file. Raises `DataError` if it can't be read."""
    try:
        with path.open("rb") as file:
            return {"file": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError as error:
        raise DataError(
            f"{path}: can't be read ({error.strerror}); --data takes files of labelled solutions"
        ) from error


def card(critic: str, title: str, settings: Mapping[str, Any], outcome: Mapping[str, Any], recipe: Recipe) -> str:
    """The README.md. `settings` is what identifies the run, `outcome` what it counted and measured."""
    labels = outcome["labels"]
    sections = [
        f"---\nlibrary_name: transformers\nbase_model: {settings['base']}\ntags: [vpbench, {critic}]\n---\n",
        f"# {title}, trained from {settings['base']}\n",
        "Step scores and Best-of-N with this checkpoint:\n",
        f"    vpbench run --critic {critic} --critic-model FOLDER --task TASK --pool FILE\n",
        "## Data\n",
        _table(("file", "SHA-256"), [(each["file"], each["sha256"]) for each in settings["data"]]),
        f"{outcome['solutions']} solutions with {sum(labels.values())} labels: {labels['+']} `+`, {labels['-']} `-`. "
        f"{_left_out(outcome['left_out'])}\n",
        _rule(recipe),
        "## Recipe\n",
        _table(("setting", "value"), [(name, str(value)) for name, value in dataclasses.asdict(recipe).items()]),
        f"AdamW with betas {recipe.BETAS[0]} and {recipe.BETAS[1]}, cosine to 0, {outcome['steps']} steps on "
        f"{settings['processes']} process(es). Fingerprint of the base: `{settings['base_fingerprint']}`.\n",
        "## Measured\n",
        _table(("metric", "value"), [(name, f"{value:.4f}") for name, value in outcome["metrics"].items()]),
        "## Versions\n",
        _table(("package", "version"), list(outcome["versions"].items())),
    ]
    return "\n".join(sections)


def _rule(recipe: Recipe) -> str:
    if recipe.unit == "response":
        return "Label: the outcome, one for the whole response.\n"
    rule = f"mc > {recipe.mc_threshold:g}" if recipe.label_rule == "value" else "sign of the change of mc (0: no loss)"
    ends = ", up to the first incorrect step" if recipe.until_first_error else ", for every step"
    return f"Label rule for rows with Monte-Carlo counts: {rule}{ends}. Rows that hold labels keep them.\n"


def _left_out(counts: Mapping[str, int]) -> str:
    if not counts:
        return "None was left out."
    return "Left out: " + ", ".join(f"{count} ({reason})" for reason, count in counts.items()) + "."


def _table(head: tuple[str, str], rows: Sequence[tuple[str, str]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join(lines) + "\n"
