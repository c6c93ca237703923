"""vLLM's step scores against those of transformers, in both layouts and with both language models."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from scoring_tiny import SIDE
from tiny_for_vllm import write_checkpoint

from vpbench.errors import ConfigError, CriticError
from vpbench.models.vllm_start import start_vllm
from vpbench.scoring import StepScorer, load_step_scorer
from vpbench.scoring import vllm_pooling as pooling
from vpbench.scoring.step_scorer import StepScores
from vpbench.scoring.vllm_config import register
from vpbench.scoring.vllm_overlay import HEAD_FILE, HEAD_NAME
from vpbench.scoring.vllm_scorer import load_vllm_step_scorer

SETTINGS = {"dtype": "float32", "device": "cpu", "system_message": "System."}
TILE_EXACT = [(2 * SIDE, SIDE), (SIDE, SIDE)]
ODD = [(3 * SIDE + 5, 2 * SIDE - 9)]
LONG = "word " * 60
SOLUTIONS = [["one", "two three", ""], ["one", "four"], [LONG, LONG, "five"], [LONG, LONG, "six"], ["one", "four"]]


@dataclass(frozen=True)
class Both:
    folder: Path
    vllm: StepScorer
    transformers: StepScorer


@pytest.fixture(
    scope="module",
    params=[("native", "qwen2"), ("native", "internlm2"), ("original", "qwen2"), ("original", "internlm2")],
    ids="-".join,
)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(folder, *request.param)
    yield Both(folder, load_vllm_step_scorer(str(folder), **SETTINGS), load_step_scorer(str(folder), **SETTINGS))
    gc.collect()


def largest_difference(both: Both, sizes: list[tuple[int, int]]) -> float:
    pixels, tiles = both.vllm.tiles([Image.radial_gradient("L").resize(size) for size in sizes], 6)
    differences = []
    scores = set()
    found, expected = (each.score("Q", SOLUTIONS, pixels, tiles) for each in (both.vllm, both.transformers))
    for ours, theirs in zip(found, expected, strict=True):
        assert isinstance(ours, StepScores)
        assert isinstance(theirs, StepScores)
        assert ours.prompt == theirs.prompt
        differences += [abs(a - b) for a, b in zip(ours.scores, theirs.scores, strict=True)]
        scores |= {round(score, 3) for score in theirs.scores}
    assert len(scores) > 4
    assert found[1].scores == found[4].scores
    return max(differences)


@pytest.mark.parametrize("sizes", [TILE_EXACT, ODD, []], ids=["tile-exact", "odd", "text"])
def test_scores_are_those_of_transformers(both: Both, sizes: list[tuple[int, int]]) -> None:
    first, again = largest_difference(both, sizes), largest_difference(both, sizes)
    assert first < 1e-4
    assert again < 1e-4


def test_the_prefix_cache_is_read_and_what_it_hides_is_found(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, int, int]] = []
    classify = pooling.PoolingEngine._classify

    def counting(self: Any, prompts: Any, pixels: Any, tiles: Any, cached: bool) -> Any:
        for prompt, rows in classify(self, prompts, pixels, tiles, cached):
            seen.append((cached, len(prompt.ids), len(rows)))
            yield prompt, rows

    monkeypatch.setattr(pooling.PoolingEngine, "_classify", counting)
    assert largest_difference(both, TILE_EXACT) < 1e-4
    cached = [(tokens, rows) for with_cache, tokens, rows in seen if with_cache]
    assert len(cached) == 4
    assert any(rows < tokens for tokens, rows in cached)
    assert all(tokens == rows for with_cache, tokens, rows in seen if not with_cache)


def test_one_bad_solution_leaves_the_others_alone(both: Both) -> None:
    good, long = both.vllm.score("Q", [["one"], ["word " * 4096]])
    assert isinstance(good, StepScores)
    assert isinstance(long, CriticError)
    with pytest.raises(CriticError, match="started for the label tokens"):
        both.vllm.score("Q", [["one"]], weights={"s": 1.0, "-": 0.0})
    (swapped,) = both.vllm.score("Q", [["one"]], weights={"-": 1.0, "+": 0.0})
    assert swapped.scores == pytest.approx([1 - good.scores[0]], abs=1e-6)


@pytest.mark.parametrize(("language_model", "right"), [("qwen2", True), ("internlm2", False)])
def test_the_head_that_vllm_makes_from_tokens(tmp_path: Path, language_model: str, right: bool) -> None:
    write_checkpoint(tmp_path, "original", language_model)
    scorer = load_step_scorer(str(tmp_path), **SETTINGS)
    plus, minus = (scorer.tokenizer.token_id(label) for label in "+-")
    engine = pooling.PoolingEngine.prepare(tmp_path, scorer.checkpoint, [plus, minus], 12)
    without_head(Path(engine.overlay.name), {"+": plus, "-": minus})
    register()
    engine.llm = start_vllm(
        engine.overlay.name,
        pooling_task="token_classify",
        convert="classify",
        dtype="float32",
        max_model_len=scorer.checkpoint.max_tokens,
        limit_mm_per_prompt={"image": 1, "video": 0},
        hf_overrides={"classifier_from_token": ["-", "+"], "method": "from_2_way_softmax"},
    )
    (expected,) = scorer.score("Q", [["one", "two", "three"]])
    assert isinstance(expected, StepScores)
    engine.label_ids, engine.cached = (plus,), False
    (logits,) = engine.label_logits([expected.prompt], None, [], [plus])
    difference = (logits[:, 0].sigmoid() - torch.tensor(expected.scores)).abs().mean()
    assert (difference < 1e-4) if right else (difference > 100 * 1e-4)


def without_head(overlay: Path, labels: dict[str, int]) -> None:
    """Take our head out of an overlay, and name the label tokens, which vLLM then looks up."""
    overlay.joinpath(HEAD_FILE).unlink()
    index = overlay / "model.safetensors.index.json"
    weights = json.loads(index.read_text())["weight_map"]
    index.write_text(json.dumps({"weight_map": {name: file for name, file in weights.items() if name != HEAD_NAME}}))
    path = overlay / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"] |= labels
    path.write_text(json.dumps(tokenizer))


def test_without_the_prefix_cache(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(both.vllm.backend, "cached", False)
    assert largest_difference(both, ODD) < 1e-4


def test_a_folder_that_vllm_refuses(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="vLLM can't run it"):
        start_vllm(tmp_path)
