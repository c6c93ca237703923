"""The model card of a trained critic: what it was trained from, on which labels, how, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vpbench.terminal import markdown_table
from vpbench.train.recipe import Recipe
from vpbench.train.settings import RunIdentity


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run counted and measured: `labels` by sign, `left_out` by reason, the last `metrics`, `versions` of what
    trained, and the Trainer's log. Field names are keys of `training.json`."""

    solutions: int
    labels: Mapping[str, int]
    left_out: Mapping[str, int]
    steps: int
    metrics: Mapping[str, float]
    versions: Mapping[str, str]
    log: list[dict[str, Any]]


def card(title: str, identity: RunIdentity, outcome: Outcome) -> str:
    """The README.md of a critic with this title."""
    recipe, labels = identity.recipe, outcome.labels
    sections = [
        f"---\nlibrary_name: transformers\nbase_model: {identity.base}\ntags: [vpbench, {identity.critic}]\n---\n",
        f"# {title}, trained from {identity.base}\n",
        "Step scores and Best-of-N with this checkpoint:\n",
        f"    vpbench run --critic {identity.critic} --critic-model FOLDER --task TASK --pool FILE\n",
        _settings(identity),
        "## Data\n",
        markdown_table([(file.file, file.sha256) for file in identity.data], ["file", "SHA-256"]) + "\n",
        f"{outcome.solutions} solutions with {sum(labels.values())} labels: {labels['+']} `+`, {labels['-']} `-`. "
        f"{_left_out(outcome.left_out)}\n",
        _rule(recipe),
        "## Recipe\n",
        markdown_table(list(asdict(recipe).items()), ["setting", "value"]) + "\n",
        f"AdamW with betas {recipe.BETAS[0]} and {recipe.BETAS[1]}, cosine to 0, {outcome.steps} steps on "
        f"{identity.processes} process(es). Fingerprint of the base: `{identity.base_fingerprint}`.\n",
        "## Measured\n",
        markdown_table([(name, f"{value:.4f}") for name, value in outcome.metrics.items()], ["metric", "value"]) + "\n",
        "## Versions\n",
        markdown_table(list(outcome.versions.items()), ["package", "version"]) + "\n",
    ]
    return "\n".join(sections)


def _settings(identity: RunIdentity) -> str:
    if not identity.settings:
        return ""
    given = "".join(f"    {name}={value!r}\n" for name, value in identity.settings.items())
    return (
        f"It was trained with these settings, to be given by `--critic-args` where they aren't the defaults:\n\n{given}"
    )


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
