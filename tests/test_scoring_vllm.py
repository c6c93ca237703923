"""vLLM as a scoring backend, as far as it goes without vLLM: the overlay, what the cache hides, the checks."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from scoring_tiny import write_original

from vpbench.errors import ConfigError, CriticError
from vpbench.models.internvl import InternVL
from vpbench.models.vllm_start import start_vllm
from vpbench.scoring import StepScorer, load_step_scorer, vllm_pooling, vllm_scorer
from vpbench.scoring.label_logits import StepPrompt
from vpbench.scoring.vllm_overlay import HEAD_FILE, HEAD_NAME, write_overlay
from vpbench.scoring.vllm_pooling import PoolingEngine

SETTINGS: dict[str, Any] = {"dtype": "float32", "device": "cpu", "system_message": "System."}


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here")
def test_a_missing_extra_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pip install 'vpbench\[vllm\]'.*scripts/vllm-cpu-env"):
        start_vllm(tmp_path)


@pytest.mark.parametrize(("language_model", "parts"), [("qwen2", 1), ("internlm2", 2)])
def test_the_overlay_links_the_weights_and_adds_a_head(tmp_path: Path, language_model: str, parts: int) -> None:
    folder, overlay = tmp_path / "checkpoint", tmp_path / "overlay"
    overlay.mkdir()
    write_original(folder, language_model, parts)
    scorer = load_step_scorer(str(folder), **SETTINGS)
    labels = [scorer.tokenizer.token_id(label) or 0 for label in "+-"]
    write_overlay(overlay, folder, scorer.checkpoint, labels, 6)
    index = json.loads(overlay.joinpath("model.safetensors.index.json").read_text())["weight_map"]
    linked = {path.name for path in overlay.iterdir() if path.is_symlink()}
    assert len(linked) == parts
    assert linked == {path.name for path in folder.glob("*.safetensors")} == set(index.values()) - {HEAD_FILE}
    head = load_file(overlay / HEAD_FILE)[HEAD_NAME]
    assert head.dtype == torch.float32
    assert torch.equal(head, scorer.model.lm_head.weight[labels])
    config = json.loads(overlay.joinpath("config.json").read_text())
    assert "auto_map" not in config
    assert config["max_dynamic_patch"] == 6
    assert config["text_config"]["rope_parameters"]["rope_type"] == "default"
    assert not list(overlay.glob("*.py"))


class FakeEngine(PoolingEngine):
    """Classifies a token by its id and position; with the cache only a prompt's last two tokens have an output."""

    asked: list[tuple[bool, int]]

    def _classify(
        self, prompts: Sequence[StepPrompt], pixels: Any, tiles_per_image: Sequence[int], cached: bool
    ) -> Iterator[tuple[StepPrompt, Any]]:
        self.asked.append((cached, len(prompts)))
        for number, prompt in enumerate(prompts):
            rows = torch.tensor([[10.0 * id + place, -float(id)] for place, id in enumerate(prompt.ids)])
            yield prompt, rows[-2:] if cached and number else rows


def fake_engine() -> FakeEngine:
    engine = FakeEngine(TemporaryDirectory(), (7, 8), InternVL(None, 0, 448, 1), 100, "pixel_values")
    engine.asked = []
    return engine


def test_rows_hidden_by_the_cache_come_from_another_prompt_or_are_asked_again() -> None:
    engine = fake_engine()
    prompts = [StepPrompt(("a", "b"), "", ids, (1, 4)) for ids in ((1, 2, 3, 4, 5), (1, 2, 3, 4, 6), (1, 9, 3, 4, 6))]
    logits = engine.label_logits(prompts, None, [], [7, 8])
    expected = [[[21.0, -2.0], [54.0, -5.0]], [[21.0, -2.0], [64.0, -6.0]], [[91.0, -9.0], [64.0, -6.0]]]
    assert [each.tolist() for each in logits] == expected
    assert engine.asked == [(True, 3), (False, 1)]
    assert [each.tolist() for each in engine.label_logits(prompts[:1], None, [], [8, 7])] == [
        [[-2.0, 21.0], [-5.0, 54.0]]
    ]
    with pytest.raises(CriticError, match=r"not for \[9\]"):
        engine.label_logits(prompts, None, [], [9, 7])


def test_an_unknown_version_leaves_the_prefix_cache_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_pooling, "start_vllm", lambda *_, **__: object())
    for version, cached in (((0, 32), True), ((9, 9), False)):
        monkeypatch.setattr(vllm_pooling, "vllm_version", lambda version=version: version)
        engine = fake_engine()
        if cached:
            engine.start("float32")
        else:
            with pytest.warns(RuntimeWarning, match="vLLM 9.9: scoring with the prefix cache is tested with 0.32"):
                engine.start("float32")
        assert engine.cached is cached


class ReferenceAsVllm(PoolingEngine):
    """Gives the plain forward's own logits, in the order that `reverse` says."""

    reverse = False
    model: StepScorer

    def start(self, dtype: str) -> None:
        assert dtype == "float32"

    def label_logits(self, prompts: Any, pixels: Any, tiles: Any, label_ids: Any) -> list[Any]:
        logits = self.model.backend.label_logits(prompts, pixels, tiles, label_ids)
        return [each.flip(-1) for each in logits] if self.reverse else logits


@pytest.mark.parametrize("reverse", [False, True])
def test_other_scores_than_the_reference_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reverse: bool
) -> None:
    write_original(tmp_path, "qwen2")
    monkeypatch.setattr(ReferenceAsVllm, "reverse", reverse)
    monkeypatch.setattr(ReferenceAsVllm, "model", load_step_scorer(str(tmp_path), **SETTINGS), raising=False)
    monkeypatch.setattr(vllm_scorer, "PoolingEngine", ReferenceAsVllm)
    if reverse:
        with pytest.raises(CriticError, match="differ from the model's own forward by .* use the backend transformers"):
            vllm_scorer.load_vllm_step_scorer(str(tmp_path), **SETTINGS)
        return
    scorer = vllm_scorer.load_vllm_step_scorer(str(tmp_path), **SETTINGS)
    assert {parameter.device.type for parameter in scorer.model.parameters()} == {"meta"}
    assert scorer.score("Q", [["one"]])[0].scores == ReferenceAsVllm.model.score("Q", [["one"]])[0].scores


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    write_original(tmp_path, "qwen2")
    with pytest.raises(ConfigError, match="device 'tpu': vLLM runs on"):
        vllm_scorer.load_vllm_step_scorer(str(tmp_path), device="tpu")
    with pytest.raises(CriticError, match="no token 'absent'"):
        vllm_scorer.load_vllm_step_scorer(str(tmp_path), labels=("+", "absent"))
