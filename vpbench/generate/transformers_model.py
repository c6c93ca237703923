"""The transformers backend: samples of a local checkpoint, every prompt's prefix run once.

Prompts are taken a window at a time; those of a window that are equally long and sampled alike advance together, as
many rows at once as memory allows. A sample depends on its prompt, the prompt's seed and its number only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from vpbench.errors import ConfigError, CriticError, DataError
from vpbench.generate.decoding import SampleRow, TokenSample, Vocabulary, draw_rows
from vpbench.generate.generator import FIRST_TOKENS, Generator
from vpbench.models.chat import Chat, load_chat
from vpbench.models.checkpoint import checkpoint_fingerprint, checkpoint_folder
from vpbench.models.inputs import DecoderInputs, joined
from vpbench.models.qwen_vl import PixelLimits
from vpbench.prompts import Generation, Prompt
from vpbench.settings import ADDED_LATER

WINDOW_SAMPLES, WINDOW_PROMPTS = 4096, 128
PREFILL_TOKENS = 16_384
CACHE_BYTES_CPU = 2 * 2**30
CACHE_SHARE_GPU = 0.6


@dataclass(frozen=True, slots=True)
class _Ready:
    """A prompt with what the decoder runs of it."""

    position: int
    prompt: Prompt
    inputs: DecoderInputs


@dataclass(frozen=True)
class TransformersModel(Generator):
    """A checkpoint folder or hub id, run by transformers.

    An image becomes at most `max_tiles` tiles and a thumbnail (InternVL), or is resized to between `min_pixels` and
    `max_pixels` (Qwen2.5-VL and Qwen3-VL; None: the checkpoint's). `system_message` None takes the checkpoint's own.
    `ignore_images` asks without the images. `batch_rows` is the largest number of samples drawn at a time.
    """

    backend: ClassVar[str] = "transformers"

    model: str = ""
    checkpoint_revision: str | None = None
    dtype: str = "auto"
    max_tiles: int = 12
    system_message: str | None = None
    ignore_images: bool = False
    min_pixels: int | None = field(default=None, metadata=ADDED_LATER)
    max_pixels: int | None = field(default=None, metadata=ADDED_LATER)
    device: str = field(default="auto", compare=False)
    batch_rows: int = field(default=1024, compare=False)

    def __post_init__(self) -> None:
        for setting in ("max_tiles", "batch_rows"):
            if getattr(self, setting) < 1:
                raise ConfigError(f"transformers model: {setting} is {getattr(self, setting)}; give at least 1")

    def prepare(self) -> None:
        """Load the checkpoint."""
        self._chat  # noqa: B018

    def revision(self) -> str:
        """Fingerprint of the checkpoint's files."""
        try:
            return checkpoint_fingerprint(checkpoint_folder(self.model, self.checkpoint_revision))
        except CriticError as error:
            raise ConfigError(str(error)) from error

    def usage(self) -> Mapping[str, float]:
        """Tokens read and drawn so far; a prompt counts once however many samples it gave."""
        return dict(self._usage)

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        """Samples batch by batch; those of one prompt in the order of their numbers."""
        start = 0
        while start < len(prompts):
            end, samples = start, 0
            while end < len(prompts) and end - start < WINDOW_PROMPTS and samples < WINDOW_SAMPLES:
                samples += prompts[end].count
                end += 1
            yield from self._window(range(start, end), prompts)
            start = end

    def _window(self, positions: range, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        alike: dict[Any, list[_Ready]] = {}
        inputs: dict[int, DecoderInputs] = {}
        for position in positions:
            prompt = prompts[position]
            try:
                if id(prompt.messages) not in inputs:
                    inputs[id(prompt.messages)] = self._inputs(prompt)
                ready = _Ready(position, prompt, inputs[id(prompt.messages)])
            except (DataError, CriticError) as error:
                yield from ((position, Generation("", error=str(error))) for _ in range(prompt.count))
                continue
            alike.setdefault((ready.inputs.length, prompt.sampling), []).append(ready)
        for (length, sampling), group in alike.items():
            longest = min(sampling.max_tokens, self._chat.checkpoint.max_tokens - length)
            for batch in self._batches(group, length, longest):
                yield from self._draw(batch, longest)

    def _inputs(self, prompt: Prompt) -> DecoderInputs:
        images = [image for message in prompt.messages for image in message.images]
        if self.ignore_images or not images:
            return self._chat.inputs(prompt.messages, None, ())
        pixels, tiles = self._chat.vision.tiles([image.open() for image in images], self.max_tiles)
        return self._chat.inputs(prompt.messages, pixels, tiles)

    def _batches(self, group: Sequence[_Ready], length: int, longest: int) -> Iterator[list[tuple[_Ready, int]]]:
        """The samples of equally long prompts, (prompt, number), cut so that each batch fits into memory."""
        rows = max(1, min(self.batch_rows, self._cache_bytes() // self._row_bytes(length + longest)))
        batch: list[tuple[_Ready, int]] = []
        prompts = 0
        for ready in group:
            for number in range(ready.prompt.count):
                new = not batch or batch[-1][0].inputs is not ready.inputs
                if len(batch) == rows or (batch and new and (prompts + 1) * length > PREFILL_TOKENS):
                    yield batch
                    batch, prompts, new = [], 0, True
                prompts += new
                batch.append((ready, number))
        if batch:
            yield batch

    def _draw(self, batch: Sequence[tuple[_Ready, int]], longest: int) -> Iterator[tuple[int, Generation]]:
        prompts = {id(ready.inputs): ready.inputs for ready, _ in batch}
        prompt_index = {key: index for index, key in enumerate(prompts)}
        rows = [SampleRow(prompt_index[id(ready.inputs)], ready.prompt.seed, number) for ready, number in batch]
        together = joined(list(prompts.values()))
        sampling = batch[0][0].prompt.sampling
        drawn, first = draw_rows(self._chat.checkpoint.model, together, rows, sampling, longest, self._vocabulary)
        self._usage["prompt_tokens"] += len(prompts) * together.length
        logprobs = {
            ready.position: self._first_tokens(first[prompt_index[id(ready.inputs)]])
            for ready in {ready.position: ready for ready, _ in batch}.values()
            if ready.prompt.first_token_logprobs
        }
        for (ready, _), sample in zip(batch, drawn, strict=True):
            self._usage["completion_tokens"] += len(sample.ids) + sample.stopped
            yield ready.position, self._generation(sample, logprobs.get(ready.position))

    def _generation(self, drawn: TokenSample, logprobs: Mapping[str, float] | None) -> Generation:
        text = self._chat.checkpoint.tokenizer.decode(drawn.ids)
        return Generation(text, "stop" if drawn.stopped else "length", len(drawn.ids) + drawn.stopped, logprobs)

    def _first_tokens(self, logprobs: Any) -> dict[str, float]:
        """The likeliest tokens' texts; of several with one text (parts of a character) the likeliest."""
        values, ids = logprobs.topk(min(FIRST_TOKENS, len(logprobs)))
        likeliest: dict[str, float] = {}
        for id, value in zip(ids.tolist(), values.tolist(), strict=True):
            likeliest.setdefault(self._chat.checkpoint.tokenizer.decode([id]), value)
        return likeliest

    def _row_bytes(self, tokens: int) -> int:
        """What the keys and values of one row take when it is `tokens` long."""
        config = self._chat.checkpoint.model.config.get_text_config()
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = 2 * config.num_hidden_layers * heads * width * self._chat.checkpoint.model.dtype.itemsize
        return int(size * tokens)

    def _cache_bytes(self) -> int:
        import torch

        if self._chat.checkpoint.model.device.type != "cuda":
            return CACHE_BYTES_CPU
        return int(CACHE_SHARE_GPU * torch.cuda.mem_get_info(self._chat.checkpoint.model.device)[0])

    @cached_property
    def _chat(self) -> Chat:
        limits = PixelLimits(self.min_pixels, self.max_pixels)
        return load_chat(self.model, self.checkpoint_revision, self.dtype, self.device, self.system_message, limits)

    @cached_property
    def _usage(self) -> Counter[str]:
        return Counter()

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        import torch

        model, tokenizer = self._chat.checkpoint.model, self._chat.checkpoint.tokenizer
        stops = self._chat.stop_ids()
        rows = model.config.get_text_config().vocab_size
        banned = (tokenizer.special_ids | set(range(tokenizer.size, rows))) - set(stops)
        device, inside = model.device, sorted(id for id in banned if id < rows)
        return Vocabulary(torch.tensor(stops, device=device), torch.tensor(inside, dtype=torch.long, device=device))
