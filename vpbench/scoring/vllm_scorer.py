"""A `StepScorer` whose backend is vLLM: the same prompts, pixels and weighing, another engine behind them.

The checkpoint is loaded by transformers first, for the label rows of its head and for the reference: before anything
is scored, vLLM has to give the plain forward's scores on a drawn picture, or it is refused. Memory holds the two
models one after the other, never both.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Sequence

from vpbench.errors import ConfigError, CriticError, require
from vpbench.models.checkpoint import checkpoint_folder
from vpbench.models.load import load_internvl
from vpbench.models.tokenizer import required_id
from vpbench.scoring.backend import LocalBackend
from vpbench.scoring.label_logits import plain_engine
from vpbench.scoring.step_format import LABEL_WEIGHTS
from vpbench.scoring.step_scorer import StepScorer, StepScores
from vpbench.scoring.vllm_pooling import PoolingEngine

TOLERANCES = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 5e-2}
"""dtype -> largest mean difference from the plain forward's step scores that counts as rounding."""

CHECK_PICTURE = (896, 448)
"""Width and height in pixels: several tiles, whatever their size."""
CHECK_QUESTION = "How bright is the middle of the picture?"
CHECK_STEPS = (
    "The picture is brighter at the rim than in the middle.",
    "Every ring around the middle has one brightness of its own.",
    "It follows that the middle is dark.",
    "It follows that the middle is bright.",
)
CHECK_SOLUTIONS = (CHECK_STEPS[:3], (*CHECK_STEPS[:2], CHECK_STEPS[3]), CHECK_STEPS[::-1])


def load_vllm_step_scorer(
    model: str,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    system_message: str | None = None,
    labels: Sequence[str] = tuple(LABEL_WEIGHTS),
    max_tiles: int = 12,
) -> StepScorer:
    """Load a step-scoring checkpoint into vLLM; no code of the checkpoint runs, in either layout.

    `labels` are all labels that it will be asked about, `max_tiles` the most tiles of an image (without the thumbnail).
    `device` is vLLM's own choice and is only compared; the scorer's own `model` has no weights. The rest is as for
    `load_step_scorer`. Raises `ConfigError` if vLLM is missing, and `CriticError` if the checkpoint can't be used or
    vLLM's scores aren't the reference's.
    """
    require("vllm", "torch")
    import torch

    runs_on = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("auto", runs_on):
        raise ConfigError(f"device {device!r}: vLLM runs on {runs_on} here; give {runs_on} or auto, or another backend")
    folder = checkpoint_folder(model, revision)
    loaded = load_internvl(str(folder), None, dtype, device, system_message)
    label_ids = [required_id(loaded.tokenizer, label) for label in labels]
    reference = _check_scores(StepScorer(loaded, LocalBackend(loaded, plain_engine)), max_tiles)
    precision = str(loaded.model.dtype).removeprefix("torch.")
    pooling = PoolingEngine.prepare(folder, loaded, label_ids, max_tiles)
    scorer = StepScorer(dataclasses.replace(loaded, model=pooling.vision.model, vision=pooling.vision), pooling)
    del loaded
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    pooling.start(precision)
    scores = _check_scores(scorer, max_tiles)
    difference = sum(abs(a - b) for a, b in zip(reference, scores, strict=True)) / len(reference)
    if not difference <= TOLERANCES[precision]:  # so that NaN is refused too
        raise CriticError(
            f"{folder}: vLLM's step scores differ from the model's own forward by {difference:.2g} on average in "
            f"{precision}, more than the {TOLERANCES[precision]:g} of rounding; use the backend transformers"
        )
    return scorer


def _check_scores(scorer: StepScorer, max_tiles: int) -> list[float]:
    """The step scores of the drawn picture, all solutions in one row."""
    from PIL import Image

    picture = Image.radial_gradient("L").resize(CHECK_PICTURE)
    pixels, tiles = scorer.tiles([picture], max_tiles)
    scores: list[float] = []
    for result in scorer.score(CHECK_QUESTION, CHECK_SOLUTIONS, pixels, tiles):
        if not isinstance(result, StepScores):
            raise result
        scores += result.scores
    return scores
