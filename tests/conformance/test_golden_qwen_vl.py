"""Critics on Qwen2.5-VL and Qwen3-VL against the original code (`golden/critics/**/cases*.jsonl` with `min_pixels`).

Folder in, scores out: token ids, read-outs and positions exact, scores within 2e-5 in float32, pixels and features of
another implementation of the resize within 1e-4. Each family's README says how its cases were made.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from shared_data import SHARED, compared, shared_files

from vpbench import Candidate, Critic, ImageRef, Question
from vpbench.models.inputs import three_axis_positions
from vpbench.models.qwen_vl import QwenVL
from vpbench.plugins import find_critic
from vpbench.scoring.backend import LocalBackend
from vpbench.scoring.label_logits import plain_engine
from vpbench.scoring.step_scorer import StepScorer, StepScores

SCORE_TOLERANCE, RESIZE_TOLERANCE = 2e-5, 1e-4
pytestmark = pytest.mark.filterwarnings("error:the shared-prefix engine")


def _cases() -> Iterator[Any]:
    for path in sorted(SHARED.glob("golden/critics/**/cases*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            if "min_pixels" in case:
                yield pytest.param(path, case, id=f"{path.parent.name}-{case.get('variant', '')}-{case['id']}")


CASES = list(_cases())
STEPS = [param for param in CASES if "step_scores" in param.values[1]]
SEEING = [param for param in CASES if param.values[1]["images"]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _critic(path: Path, case: dict[str, Any], folder: Path | None = None) -> Any:
    name = "vlprm" if "step_scores" in case else "skywork-vl-reward"
    resize = "twice" if "released_resize" in path.name else "once"
    compared("golden cases", f"{path.parent.name}-{case['id']}")
    return _loaded(
        name,
        str(folder or path.parent / case.get("variant", "checkpoint")),
        case["system"],
        case["min_pixels"],
        case["max_pixels"],
        resize,
    )


@lru_cache
def _loaded(name: str, model: str, system: str | None, least: int, most: int, resize: str) -> Critic:
    settings: dict[str, Any] = {"min_pixels": least, "max_pixels": most, "resize": resize, "system_message": system}
    return find_critic(name).cls(model=model, dtype="float32", device="cpu", **settings)  # type: ignore[call-arg]


def _question(path: Path, case: dict[str, Any]) -> Question:
    images = tuple(ImageRef(name, path.parent / name) for name in case["images"])
    return Question("golden", case["id"], case["question"], images)


def _candidate(case: dict[str, Any]) -> Candidate:
    if "steps" in case:
        return Candidate(case["id"], 0, "", steps=tuple(case["steps"]))
    return Candidate(case["id"], 0, case["response"])


def _scored(scorer: StepScorer, critic: Any, question: Question, solutions: list[tuple[str, ...]]) -> list[StepScores]:
    pixels, tiles = scorer.tiles([image.open() for image in question.images], critic.max_tiles)
    scored = scorer.score(question.text, solutions, pixels, tiles)
    assert all(isinstance(result, StepScores) for result in scored), scored
    return scored  # type: ignore[return-value]


def test_there_are_golden_cases() -> None:
    shared_files("golden/critics/**/cases*.jsonl")
    assert STEPS
    assert len(STEPS) < len(CASES)


@pytest.mark.parametrize(("path", "case"), CASES)
def test_scores(path: Path, case: dict[str, Any]) -> None:
    (score,) = _critic(path, case).score(_question(path, case), [_candidate(case)])
    assert score.reason is None
    if "step_scores" in case:
        assert score.steps == pytest.approx(case["step_scores"], abs=SCORE_TOLERANCE, rel=0)
        assert score.value == pytest.approx(case["aggregates"]["mean"], abs=SCORE_TOLERANCE, rel=0)
    else:
        assert score.value == pytest.approx(case["response_score"], abs=SCORE_TOLERANCE, rel=0)


@pytest.mark.parametrize(("path", "case"), CASES)
def test_prompts(path: Path, case: dict[str, Any]) -> None:
    critic, question = _critic(path, case), _question(path, case)
    (result,) = _scored(critic._scorer, critic, question, [critic.steps(_candidate(case))])
    ids = [id for item in case["input_ids"] for id in ([item[0]] * item[1] if isinstance(item, list) else [item])]
    assert list(result.prompt.ids) == ids
    readouts = case["readout_positions"] if "readout_positions" in case else [case["readout_position"]]
    assert list(result.prompt.readouts) == readouts
    if "logits" in case:
        torch.testing.assert_close(
            torch.tensor(result.logits), torch.tensor(case["logits"]), atol=RESIZE_TOLERANCE, rtol=0
        )
    if "rope_positions_at_readout" in case:
        token, merge = critic._scorer.checkpoint.image_token_id, 2
        grids = [(rows // merge, columns // merge) for _, rows, columns in case.get("image_grid_thw", ())]
        positions = three_axis_positions([id == token for id in ids], grids)
        assert [[axis[at] for axis in positions] for at in readouts] == case["rope_positions_at_readout"]


@pytest.mark.parametrize(("path", "case"), SEEING)
def test_pixels_and_image_features(path: Path, case: dict[str, Any]) -> None:
    vision = _critic(path, case)._scorer.checkpoint.vision
    assert isinstance(vision, QwenVL)
    images = [image.open() for image in _question(path, case).images]
    patches, tiles = vision.tiles(images, 1)
    assert patches is not None
    assert [[1, 2 * rows, 2 * columns] for rows, columns in patches.grids] == case["image_grid_thw"]
    assert tiles == [vision.tile_count(*image.size, 1) for image in images]
    assert list(patches.values.shape) == case["pixel_values_shape"]
    assert float(patches.values.mean()) == pytest.approx(case["pixel_values_mean"], abs=RESIZE_TOLERANCE, rel=0)
    assert float(patches.values.std()) == pytest.approx(case["pixel_values_std"], abs=RESIZE_TOLERANCE, rel=1e-3)
    features = vision.image_features(patches)
    golden = [case["image_features"], *case.get("deepstack_features", ())]
    for given, wanted in zip([features.rows, *features.deep], golden, strict=True):
        assert list(given.shape) == wanted["shape"]
        for sample in wanted["samples"]:
            assert float(given[tuple(sample["index"])]) == pytest.approx(sample["value"], abs=RESIZE_TOLERANCE, rel=0)


@pytest.mark.parametrize("path", sorted({param.values[0] for param in STEPS}), ids=lambda path: path.parent.name)
def test_the_shared_prefix_gives_what_full_forwards_give(path: Path) -> None:
    """Cases of one question together, by both engines: 1e-5."""
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for case_path, case in (param.values for param in STEPS):
        if case_path == path:
            groups[case.get("variant"), case["question"], *case["images"]].append(case)
    for cases in groups.values():
        critic, question = _critic(path, cases[0]), _question(path, cases[0])
        shared = critic._scorer
        plain = dataclasses.replace(shared, backend=LocalBackend(shared.checkpoint, plain_engine))
        solutions = [tuple(case["steps"]) for case in cases]
        pairs = zip(*(_scored(scorer, critic, question, solutions) for scorer in (shared, plain)), strict=True)
        for case, (fast, full) in zip(cases, pairs, strict=True):
            assert fast.scores == pytest.approx(full.scores, abs=1e-5, rel=0)
            assert fast.scores == pytest.approx(case["step_scores"], abs=SCORE_TOLERANCE, rel=0)


CONFIGS = sorted(SHARED.glob("golden/critics/**/config.*.json"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_configuration_of_another_version_gives_the_same_scores(config: Path, tmp_path: Path) -> None:
    path, case = next(param.values for param in CASES if param.values[0] == config.parent / "cases.jsonl")
    folder = shutil.copytree(config.parent / "checkpoint", tmp_path / "checkpoint")
    shutil.copyfile(config, folder / "config.json")
    (score,) = _critic(path, case, folder).score(_question(path, case), [_candidate(case)])
    assert score.steps == pytest.approx(case["step_scores"], abs=SCORE_TOLERANCE, rel=0)
