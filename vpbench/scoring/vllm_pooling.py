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
from typing import TYPE_CHECKING, Any

from vpbench.errors import CriticError
from vpbench.models.checkpoint import read_json
from vpbench.models.internvl import InternVL
from vpbench.models.internvl_config import ORIGINAL
from vpbench.models.load import load_internvl_without_weights
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.models.vllm_start import start_vllm, vllm_version
from vpbench.scoring.backend import check_tiles
from vpbench.scoring.label_logits import StepPrompt
from vpbench.scoring.step_format import StepFormat
from vpbench.scoring.vllm_overlay import internvl_of, write_overlay

if TYPE_CHECKING:
    from PIL.Image import Image

CACHING_VERSIONS = ((0, 32),)
"""The versions of vLLM whose prefix cache was found to work for pooling; a parameter marked internal turns it on."""

MAX_IMAGES = 16


@dataclass
class PoolingEngine:
    """A `Backend`: vLLM over the overlay of one checkpoint, whose images are pixels.

    `vision` has no weights, it cuts images and counts tokens. `calls` counts the calls so far and names their caches.
    """

    overlay: TemporaryDirectory[str]
    label_ids: tuple[int, ...]
    vision: InternVL
    max_tokens: int
    pixels_name: str
    cached: bool = True
    calls: int = 0
    llm: Any = field(default=None, repr=False)

    @classmethod
    def prepare(
        cls, folder: Path, checkpoint: LoadedCheckpoint, label_ids: Sequence[int], max_tiles: int
    ) -> PoolingEngine:
        """Write the overlay of a checkpoint that is loaded, of which nothing is kept; vLLM isn't started yet."""
        overlay = TemporaryDirectory(prefix="vpbench-vllm-")
        write_overlay(Path(overlay.name), folder, checkpoint, label_ids, max_tiles)
        original = read_json(folder / "config.json")["model_type"] == ORIGINAL
        vision = internvl_of(load_internvl_without_weights(str(folder)))
        name = "pixel_values_flat" if original else "pixel_values"
        return cls(overlay, tuple(label_ids), vision, checkpoint.max_tokens, name)

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

    def images(self, images: Sequence[Image], max_tiles: int) -> tuple[Any | None, list[int]]:
        """See `Backend`: pixel values of all tiles, (tiles, 3, side, side)."""
        return self.vision.tiles(images, max_tiles)

    def check(self, prompt: StepPrompt, format: StepFormat) -> None:
        """Takes every prompt."""

    def label_logits(
        self,
        prompts: Sequence[StepPrompt],
        images: Any | None,
        tiles_per_image: Sequence[int],
        label_ids: Sequence[int],
    ) -> list[Any]:
        """See `Backend`. Raises `CriticError` as well for labels that the head has no rows for."""
        import torch

        check_tiles(images, tiles_per_image)
        missing = [id for id in label_ids if id not in self.label_ids]
        if missing:
            raise CriticError(f"vLLM was started for the label tokens {self.label_ids}, not for {missing}; name all")
        columns = [self.label_ids.index(id) for id in label_ids]
        logits: dict[tuple[int, ...], Any] = {}
        for cached in (True, False) if self.cached else (False,):
            owed = [prompt for prompt in prompts if any(key not in logits for key in _keys(prompt))]
            for prompt, rows in self._classify(owed, images, tiles_per_image, cached):
                first = len(prompt.ids) - len(rows)
                for position, key in zip(prompt.readouts, _keys(prompt), strict=True):
                    if position >= first:
                        logits.setdefault(key, rows[position - first][columns].float())
        return [torch.stack([logits[key] for key in _keys(prompt)]) for prompt in prompts]

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
            "image_token_id": torch.tensor(self.vision.image_token_id),
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

        lengths = [self.vision.token_count(tiles) for tiles in tiles_per_image]
        positions = [position for position, id in enumerate(ids) if id == self.vision.image_token_id]
        firsts = accumulate(lengths[:-1], initial=0)
        return [PlaceholderRange(positions[first], length) for first, length in zip(firsts, lengths, strict=True)]


def _keys(prompt: StepPrompt) -> list[tuple[int, ...]]:
    """What each read-out depends on: the tokens up to it."""
    return [prompt.ids[: position + 1] for position in prompt.readouts]
