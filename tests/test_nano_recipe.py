"""The recipe runs from nothing to all checkpoints, and the same seed gives the same weights."""

import os
from pathlib import Path

import pytest

from vpbench.nano.families import KINDS
from vpbench.nano.recipe import WorldRecipe, build_models
from vpbench.nano.tuning import Round
from vpbench.scoring import load_step_scorer

EQUAL = dict.fromkeys(KINDS, 1)
TINY = WorldRecipe(
    vision_steps=2,
    rounds=(Round(2, 4, EQUAL, describe=True), Round(3, 4, EQUAL)),
    policy_steps=2,
    questions=40,
    hot_questions=14,
    slips=430,
    adapting_steps=2,
    starting_sequences=128,
    pretraining_sequences=128,
    labelled_per_kind=1,
)


@pytest.mark.slow
@pytest.mark.skipif("VPBENCH_SLOW" not in os.environ, reason="a minute of training; set VPBENCH_SLOW=1 to run it")
def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    messages: list[str] = []
    for name in ("one", "two"):
        build_models(tmp_path / name, tmp_path / name / "scratch", TINY, messages.append)
    for model, layers in (("policy", 4), ("strong-policy", 4), ("pretrained-prm", 6), ("prm", 6), ("orm", 6)):
        assert load_step_scorer(str(tmp_path / "one" / model)).model.config.text_config.num_hidden_layers == layers
        first, second = (tmp_path / name / model / "model.safetensors" for name in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "one/prm/model.safetensors").read_bytes() != (
        tmp_path / "one/orm/model.safetensors"
    ).read_bytes()
