"""Step scores against what the released scorer returned (folders `*/golden/*` with cases.jsonl and tiling.json).

Prompts, token ids, read-out positions, steps, tile grids and pixels have to be exact; logits within 1e-4 and step
scores within 2e-5 in float32, the tolerances that the data's own README gives for other kernels.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from shared_data import SHARED, compared, shared_files

from vpbench import Candidate, Critic, CriticError, ImageRef, Question
from vpbench.models.tiles import cut_tiles, pixel_values, tile_grid
from vpbench.scoring import load_step_scorer, split_steps
from vpbench.scoring.step_format import LABEL_WEIGHTS
from vpbench.scoring.step_scorer import StepScorer, StepScores
from vpbench.scoring.typed_text import Shield

LOGIT_TOLERANCE, SCORE_TOLERANCE = 1e-4, 2e-5
pytestmark = pytest.mark.filterwarnings("error:the shared-prefix engine")
ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(
    path.parent for path in SHARED.glob("golden/**/cases.jsonl") if (path.parent / "tiling.json").is_file()
)


def _cases() -> Iterator[Any]:
    for folder in FOLDERS:
        for line in (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            yield pytest.param(folder, case, id=f"{folder.name}-{case['variant']}-{case['id']}")


CASES = list(_cases())
SCORED = [param for param in CASES if "raises" not in param.values[1]]
FAILING = [param for param in CASES if "raises" in param.values[1]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _scorer(folder: Path, case: dict[str, Any]) -> StepScorer:
    compared("golden cases", f"{folder.name}-{case['variant']}-{case['id']}")
    return dataclasses.replace(_load(folder / case["variant"], case["system_message"]), released_tokenization=True)


@lru_cache
def _load(checkpoint: Path, system_message: str | None) -> StepScorer:
    return load_step_scorer(str(checkpoint), dtype="float32", device="cpu", system_message=system_message)


def _pixels(folder: Path, case: dict[str, Any], scorer: StepScorer) -> tuple[Any, list[int]]:
    images = [Image.open(folder / name) for name in case["images"]]
    return scorer.tiles(images, case["max_num"] or 1)


def _solutions(case: dict[str, Any]) -> list[tuple[str, ...]]:
    return [split_steps(r, case["max_steps"]) if isinstance(r, str) else tuple(r) for r in case["responses"]]


def _score(folder: Path, case: dict[str, Any]) -> list[StepScores | CriticError]:
    scorer = _scorer(folder, case)
    pixels, _ = _pixels(folder, case, scorer)
    weights = case["str2score"] or LABEL_WEIGHTS
    return scorer.score(case["question"], _solutions(case), pixels, case["num_patches_list"], weights)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_there_are_golden_cases() -> None:
    shared_files("golden/**/cases.jsonl")
    assert SCORED
    assert FAILING


@pytest.mark.parametrize(("folder", "case"), SCORED)
def test_scores(folder: Path, case: dict[str, Any]) -> None:
    scorer = _scorer(folder, case)
    results = _score(folder, case)
    assert len(results) == len(case["candidates"])
    means, labels = [], []
    for result, golden in zip(results, case["candidates"], strict=True):
        assert isinstance(result, StepScores), result
        _check_prompt(result, golden)
        ids = [scorer.tokenizer.token_id(label) for label in golden["label_token_ids"]]
        assert ids == list(golden["label_token_ids"].values())
        logits = np.array([golden["logits"][label] for label in golden["label_token_ids"]]).T
        assert np.array(result.logits).shape == logits.shape
        assert np.abs(np.array(result.logits) - logits).max() < LOGIT_TOLERANCE
        assert result.scores == pytest.approx(golden["step_scores"], abs=SCORE_TOLERANCE, rel=0)
        assert result.mean == pytest.approx(golden["response_score"], abs=SCORE_TOLERANCE, rel=0)
        assert min(result.scores) == pytest.approx(golden["response_score_min"], abs=SCORE_TOLERANCE, rel=0)
        assert max(result.scores) == pytest.approx(golden["response_score_max"], abs=SCORE_TOLERANCE, rel=0)
        means.append(result.mean)
        labels.append([1 if score > _visualprm().step_threshold else -1 for score in result.scores])
    assert sorted(range(len(means)), key=lambda index: -means[index]) == case["order"]
    assert labels == case.get("check_correctness_0.8", labels)


@pytest.mark.parametrize(("folder", "case"), SCORED)
def test_default_tokenization(folder: Path, case: dict[str, Any]) -> None:
    """Prompts without typed special tokens are the released scorer's, even when every one is tokenised as if it held
    some; a prompt that holds some keeps its text and its steps."""
    scorer = dataclasses.replace(_scorer(folder, case), released_tokenization=False)
    counts = case["num_patches_list"] or [sum(case["tiles"])] * bool(case["images"])
    for steps, golden in zip(_solutions(case), case["candidates"], strict=True):
        prompt = scorer.prompt(case["question"], steps, counts)
        assert len(prompt.readouts) == len(golden["readout_positions"])
        if prompt.neutralised:
            typed = [case["question"], *steps]
            assert any(token in text for text in typed for token in (*scorer.tokenizer.special_tokens, "<image>"))
            assert _sha(prompt.text.encode("utf-8")) == golden["prompt_sha256"]
            continue
        assert _sha(",".join(map(str, prompt.ids)).encode()) == golden["input_ids_sha256"]
        always = Shield(scorer.tokenizer.special_tokens, "\ufdd0")
        assert always.encode(scorer.tokenizer, prompt.text) == list(prompt.ids)


def _check_prompt(result: StepScores, golden: dict[str, Any]) -> None:
    prompt = result.prompt
    assert list(prompt.steps) == golden["steps"]
    assert len(prompt.text) == golden["prompt_chars"]
    assert _sha(prompt.text.encode("utf-8")) == golden["prompt_sha256"]
    expanded: list[int] = []
    for item in golden["input_ids"]:
        expanded += [item[0]] * item[1] if isinstance(item, list) else [item]
    assert list(prompt.ids) == expanded
    assert len(prompt.ids) == golden["n_tokens"]
    assert _sha(",".join(map(str, prompt.ids)).encode()) == golden["input_ids_sha256"]
    assert list(prompt.readouts) == golden["readout_positions"]


@pytest.mark.parametrize(("folder", "case"), SCORED)
def test_the_critic(folder: Path, case: dict[str, Any]) -> None:
    """The same through the plugin, for the cases that say what a question and its candidates can say."""
    if case["str2score"] or case["max_steps"] is None or case["num_patches_list"] not in (None, case["tiles"]):
        pytest.skip("not expressible as a question with candidates")
    question = Question("golden", case["id"], case["question"], tuple(ImageRef(n, folder / n) for n in case["images"]))
    candidates = [
        Candidate(case["id"], i, r) if isinstance(r, str) else Candidate(case["id"], i, "", steps=tuple(r))
        for i, r in enumerate(case["responses"])
    ]
    critic = _critic(folder / case["variant"], case["max_num"] or 1, case["max_steps"], case["system_message"])
    for score, golden in zip(critic.score(question, candidates), case["candidates"], strict=True):
        if any(step.strip() for step in golden["steps"]):
            assert score.reason is None
            assert score.value == pytest.approx(golden["response_score"], abs=SCORE_TOLERANCE, rel=0)
            assert score.steps == pytest.approx(golden["step_scores"], abs=SCORE_TOLERANCE, rel=0)
        else:
            assert (score.value, score.steps, score.reason) == (None, None, "empty response")


@lru_cache
def _critic(checkpoint: Path, max_tiles: int, max_steps: int, system_message: str | None) -> Critic:
    return _visualprm()(
        model=str(checkpoint),
        max_tiles=max_tiles,
        max_steps=max_steps,
        dtype="float32",
        device="cpu",
        system_message=system_message,
        released_tokenization=True,
    )


@lru_cache
def _visualprm() -> Any:
    spec = importlib.util.spec_from_file_location("critics_visualprm", ROOT / "critics" / "visualprm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.VisualPRM


@pytest.mark.parametrize(("folder", "case"), FAILING)
def test_what_the_released_scorer_refuses_is_a_critic_error(folder: Path, case: dict[str, Any]) -> None:
    try:
        (result,) = _score(folder, case)
    except CriticError as error:
        result = error
    assert isinstance(result, CriticError)
    found = (case.get("raised_after") or {}).get("n_readout_positions")
    if found is not None and found not in (0, len(_solutions(case)[0])):
        assert f"{found} label turns" in str(result)


@pytest.mark.parametrize(("folder", "case"), [p for p in CASES if p.values[1]["images"]])
def test_pixels_and_image_features(folder: Path, case: dict[str, Any]) -> None:
    scorer = _scorer(folder, case)
    pixels, counts = _pixels(folder, case, scorer)
    assert counts == case["tiles"]
    assert _sha(pixels.numpy().tobytes()) == case["pixel_values_sha256"]
    golden = case.get("image_features")
    if golden is None:
        return
    features = scorer.image_features(pixels)
    assert list(features.shape) == golden["shape"]
    for sample in golden["samples"]:
        assert float(features[tuple(sample["index"])]) == pytest.approx(sample["value"], abs=LOGIT_TOLERANCE, rel=0)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_tile_grids(folder: Path) -> None:
    for entry in json.loads((folder / "tiling.json").read_text())["grids"]:
        limits = {int(key[4:]): value for key, value in entry.items() if key.startswith("max_")}
        assert limits
        for limit, golden in limits.items():
            columns, rows = tile_grid(entry["width"], entry["height"], limit)
            assert [columns, rows] == golden["grid"], (entry["width"], entry["height"], limit)
            assert columns * rows == golden["tiles"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_tile_pixels(folder: Path) -> None:
    entries = json.loads((folder / "tiling.json").read_text())["pixels"]
    assert entries
    for entry in entries:
        tiles = cut_tiles(_tiling_image(folder, entry), entry["max_num"])
        if not entry["use_thumbnail"] and len(tiles) > 1:
            tiles.pop()
        raw = np.stack([np.asarray(tile) for tile in tiles])
        values = pixel_values(tiles).numpy()
        assert list(values.shape) == entry["shape"]
        assert _sha(raw.tobytes()) == entry["uint8_sha256"], entry
        assert _sha(values.tobytes()) == entry["float32_sha256"], entry


def _tiling_image(folder: Path, entry: dict[str, Any]) -> Image.Image:
    if "image" in entry:
        return Image.open(folder / entry["image"])
    formula = re.fullmatch(r"uint8 pixel\[y,x,c\] = \((\d+)\*x \+ (\d+)\*y \+ (\d+)\*c\) mod (\d+)", entry["formula"])
    assert formula, entry["formula"]
    by_x, by_y, by_channel, modulus = map(int, formula.groups())
    width, height = entry["size"]
    y, x, channel = np.ogrid[:height, :width, :3]
    return Image.fromarray(((by_x * x + by_y * y + by_channel * channel) % modulus).astype(np.uint8))
