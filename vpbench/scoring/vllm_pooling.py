"""The label logits of prompts by vLLM's pooling: our token ids, our pixels, our read-out positions.

Prompts go to the engine as it takes them behind its own preprocessing, so that neither its tokenizer nor its image
processor has a say. Every token is classified by the overlay's head. The prefix cache is on: of a prompt whose
beginning is cached only the rest has an output, so that each call has a cache of its own, read-outs in a part that is
shared with another prompt of the call are taken from that one, and what is missing still is asked again without the
cache.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.checkpoint import read_json
from vpbench.models.vllm_start import start_vllm, vllm_version
from vpbench.scoring.label_logits import StepPrompt
from vpbench.scoring.load import ORIGINAL
from vpbench.scoring.step_scorer import StepScorer
from vpbench.scoring.vllm_overlay import write_overlay

CACHING_VERSIONS = ((0, 32),)
"""The versions of vLLM whose prefix cache was found to work for pooling; a parameter marked internal turns it on."""

MAX_IMAGES = 16


@dataclass
class PoolingEngine:
    """vLLM over the overlay of one checkpoint. `calls` counts the calls so far and names their caches."""

    overlay: TemporaryDirectory[str]
    label_ids: tuple[int, ...]
    image_token_id: int
    tokens_per_tile: int
    max_tokens: int
    pixels_name: str
    cached: bool = True
    calls: int = 0
    llm: Any = field(default=None, repr=False)

    @classmethod
    def prepare(cls, folder: Path, scorer: StepScorer, label_ids: Sequence[int], max_tiles: int) -> PoolingEngine:
        """Write the overlay while `scorer` has its model; vLLM isn't started yet."""
        overlay = TemporaryDirectory(prefix="vpbench-vllm-")
        write_overlay(Path(overlay.name), folder, scorer, label_ids, max_tiles)
        original = read_json(folder / "config.json")["model_type"] == ORIGINAL
        name = "pixel_values_flat" if original else "pixel_values"
        return cls(overlay, tuple(label_ids), scorer.image_token_id, scorer.tokens_per_tile, scorer.max_tokens, name)

    def start(self, dtype: str) -> None:
        """Start vLLM. Raises `ConfigError` if it is missing or can't; warns where the prefix cache stays off."""
        from vpbench.scoring.vllm_config import register

        register()
        self.llm = start_vllm(
            self.overlay.name,
            pooling_task="token_classify",
            convert="classify",
            dtype=dtype,
            max_model_len=self.max_tokens,
            limit_mm_per_prompt={"image": MAX_IMAGES, "video": 0},
            enable_prefix_caching=True,
        )
        version = vllm_version()
        self.cached = version in CACHING_VERSIONS
        if not self.cached:
            tested = ", ".join(f"{major}.{minor}" for major, minor in CACHING_VERSIONS)
            warnings.warn(
                f"vLLM {version[0]}.{version[1]}: scoring with the prefix cache is tested with {tested} only; it stays "
                "off, which is right but slow",
                RuntimeWarning,
                stacklevel=3,
            )

    def label_logits(
        self,
        prompts: Sequence[StepPrompt],
        pixels: Any | None,
        tiles_per_image: Sequence[int],
        label_ids: Sequence[int],
    ) -> list[Any]:
        """See `StepScorer.label_logits`. Raises `CriticError` for labels that the head has no rows for."""
        import torch

        missing = [id for id in label_ids if id not in self.label_ids]
        if missing:
            raise CriticError(f"vLLM was started for the label tokens {self.label_ids}, not for {missing}; name all")
        columns = [self.label_ids.index(id) for id in label_ids]
        known: dict[tuple[int, ...], Any] = {}
        for cached in (True, False) if self.cached else (False,):
            owed = [prompt for prompt in prompts if any(key not in known for key in _keys(prompt))]
            for prompt, rows in self._classify(owed, pixels, tiles_per_image, cached):
                first = len(prompt.ids) - len(rows)
                for position, key in zip(prompt.readouts, _keys(prompt), strict=True):
                    if position >= first:
                        known.setdefault(key, rows[position - first][columns].float())
        return [torch.stack([known[key] for key in _keys(prompt)]) for prompt in prompts]

    def _classify(
        self, prompts: Sequence[StepPrompt], pixels: Any | None, tiles_per_image: Sequence[int], cached: bool
    ) -> Iterator[tuple[StepPrompt, Any]]:
        """Each prompt with the logits [tokens, labels] of its last tokens: all of them if not `cached`."""
        from vllm import PoolingParams

        self.calls += 1
        parameters = PoolingParams(task="token_classify", use_activation=False)
        if cached:
            parameters.skip_reading_prefix_cache = False
        engine = self.llm.llm_engine
        asked = {f"{self.calls}-{index}": prompt for index, prompt in enumerate(prompts)}
        try:
            for name, prompt in asked.items():
                engine.add_request(name, self._engine_input(prompt, pixels, tiles_per_image), parameters)
            while engine.has_unfinished_requests():
                for output in engine.step():
                    yield asked[output.request_id], output.outputs.data
        except Exception as error:  # vLLM raises whatever its parts raise
            engine.abort_request(list(asked))
            raise CriticError(f"vLLM fails on this question ({type(error).__name__}: {error})") from error

    def _engine_input(self, prompt: StepPrompt, pixels: Any | None, tiles_per_image: Sequence[int]) -> dict[str, Any]:
        """What vLLM's own preprocessing would make of a prompt: ids, and pixels with the places they belong to."""
        salt = str(self.calls)
        ids = {"prompt_token_ids": list(prompt.ids), "cache_salt": salt}
        if pixels is None:
            return {"type": "token", **ids}
        return {
            "type": "multimodal",
            **ids,
            "mm_kwargs": self._image_items(pixels, tiles_per_image),
            "mm_hashes": {"image": [f"{salt}-{index}" for index in range(len(tiles_per_image))]},
            "mm_placeholders": {"image": self._placeholders(prompt.ids, tiles_per_image)},
        }

    def _image_items(self, pixels: Any, tiles_per_image: Sequence[int]) -> Any:
        import torch
        from transformers import BatchFeature
        from vllm.multimodal.inputs import MultiModalFieldConfig, MultiModalKwargsItems

        counts = torch.tensor(tiles_per_image)
        values = {
            self.pixels_name: pixels,
            "image_num_patches": counts,
            "image_token_id": torch.tensor(self.image_token_id),
        }
        fields: Mapping[str, Any] = {
            self.pixels_name: MultiModalFieldConfig.flat_from_sizes("image", counts),
            "image_num_patches": MultiModalFieldConfig.batched("image", keep_on_cpu=True),
            "image_token_id": MultiModalFieldConfig.shared("image", len(counts), keep_on_cpu=True),
        }
        return MultiModalKwargsItems.from_hf_inputs(BatchFeature(values), fields)

    def _placeholders(self, ids: Sequence[int], tiles_per_image: Sequence[int]) -> list[Any]:
        """Where each image's tokens stand; every image is one run of them."""
        from vllm.multimodal.inputs import PlaceholderRange

        lengths = [tiles * self.tokens_per_tile for tiles in tiles_per_image]
        places = [position for position, id in enumerate(ids) if id == self.image_token_id]
        firsts = accumulate(lengths[:-1], initial=0)
        return [PlaceholderRange(places[first], length) for first, length in zip(firsts, lengths, strict=True)]


def _keys(prompt: StepPrompt) -> list[tuple[int, ...]]:
    """What each read-out depends on: the tokens up to it."""
    return [prompt.ids[: position + 1] for position in prompt.readouts]
