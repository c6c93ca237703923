"""The default engine: what all prompts of a question share is run once, and only the rest for each of them.

Solutions of one question share system message, image and question, which is most of every prompt. Their longest
common run of tokens goes through the language model once, the remainders follow in micro-batches sorted by length and
packed without padding, each up to its last read-out, and attend to the one set of prefix keys and values. Memory grows
with the micro-batch, not with the number of solutions.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vpbench.models.decoder import Prefix, run_prefix, run_suffixes, why_not_by_hand
from vpbench.models.inputs import decoder_inputs
from vpbench.models.loaded import embed
from vpbench.models.vision import ImageFeatures
from vpbench.scoring.label_logits import Engine, StepPrompt, plain_engine

CPU_MICRO_BATCH_TOKENS = 2048
GPU_MICRO_BATCH_TOKENS = 16384
TOLERANCES = {"float16": 3e-2, "bfloat16": 2e-1}
TOLERANCE = 1e-4
"""Largest ||shared - plain|| / ||plain|| of the last layer at a read-out that counts as rounding, by dtype or else."""


def engine_for(model: Any) -> Engine:
    """The shared-prefix engine where it handles the model's language model, else the plain one."""
    return plain_engine if why_not_by_hand(model.config.get_text_config()) else SharedPrefixEngine()


class SharedPrefixEngine:
    """An `Engine` for one loaded model; compares itself with the plain one when it is first used.

    `micro_batch_tokens` is how many tokens of the remainders run at once. On a GPU it is chosen by the free memory and
    halved whenever that runs out.
    """

    def __init__(self, micro_batch_tokens: int | None = None) -> None:
        self.micro_batch_tokens = micro_batch_tokens
        self._agrees: bool | None = None

    def __call__(
        self, model: Any, prompts: Sequence[StepPrompt], features: ImageFeatures | None, image_token_id: int
    ) -> Iterator[tuple[int, Any]]:
        """See `Engine`. Warns once, and is the plain engine from then on, if the two don't agree."""
        if not prompts:
            return
        if self._agrees is None:
            self._agrees = self._check(model, prompts, features, image_token_id)
        run = self._run if self._agrees else plain_engine
        yield from run(model, prompts, features, image_token_id)

    def _check(
        self, model: Any, prompts: Sequence[StepPrompt], features: ImageFeatures | None, image_token_id: int
    ) -> bool:
        """Whether the shortest and the longest prompt give the plain engine's output up to rounding; warns if not."""
        import torch

        by_length = sorted(prompts, key=lambda prompt: len(prompt.ids))
        chosen = [by_length[0], by_length[-1]][: len(prompts)]
        tolerance = TOLERANCES.get(str(model.dtype).removeprefix("torch."), TOLERANCE)
        try:
            shared = dict(self._run(model, chosen, features, image_token_id))
        except torch.OutOfMemoryError:
            raise
        except (AttributeError, NotImplementedError, RuntimeError, TypeError) as error:
            trouble = f"can't run this model here ({error!r})"
        else:
            difference = _difference(shared, dict(plain_engine(model, chosen, features, image_token_id)))
            if difference <= tolerance:
                return True
            trouble = (
                f"differs from the model's own forward by {difference:.2g} of the last layer's norm, more than the "
                f"{tolerance:g} of rounding in {model.dtype}"
            )
        warnings.warn(
            f"the shared-prefix engine {trouble}; scoring goes on with one full forward per response, which is right "
            "but slow",
            RuntimeWarning,
            stacklevel=2,
        )
        return False

    def _run(
        self, model: Any, prompts: Sequence[StepPrompt], features: ImageFeatures | None, image_token_id: int
    ) -> Iterator[tuple[int, Any]]:
        import torch

        shared = shared_length(prompts)
        rows = None if features is None else features.rows.flatten(0, -2)
        used = prompts[0].ids[:shared].count(image_token_id)
        rest = None if rows is None or used == len(rows) else rows[used:]
        # Suffixes are given positions that count up, which those of an image on three axes don't.
        if not shared or (features is not None and features.grids and rest is not None):
            yield from plain_engine(model, prompts, features, image_token_id)
            return
        prefix = _prefix(model, prompts[0].ids[:shared], features, image_token_id)
        owed = sorted(range(len(prompts)), key=lambda index: prompts[index].readouts[-1])
        while owed:
            lengths = [prompts[index].readouts[-1] + 1 - shared for index in owed]
            batch = owed[: _fitting(lengths, self._budget(model))]
            try:
                states = _suffixes(model, [prompts[index] for index in batch], shared, prefix, rest, image_token_id)
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self.micro_batch_tokens = sum(lengths[: len(batch)]) // 2
            else:
                owed = owed[len(batch) :]
                yield from zip(batch, states, strict=True)

    def _budget(self, model: Any) -> int:
        if self.micro_batch_tokens is None:
            self.micro_batch_tokens = _tokens_that_fit(model)
        return self.micro_batch_tokens


def _difference(shared: Mapping[int, Any], plain: Mapping[int, Any]) -> float:
    """The largest ||shared - plain|| / ||plain|| of a read-out; NaN if one is."""
    largest = 0.0
    for index, states in plain.items():
        relative = (shared[index] - states).float().norm(dim=-1) / states.float().norm(dim=-1)
        largest = max([largest, *relative.tolist()], key=lambda value: (value != value, value))
    return largest


def shared_length(prompts: Sequence[StepPrompt]) -> int:
    """How many tokens all prompts have in common, at most up to the first read-out, which is run with the rest."""
    first, last = min(prompt.ids for prompt in prompts), max(prompt.ids for prompt in prompts)
    common = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return min([common, *(prompt.readouts[0] for prompt in prompts)])


def tokens_read(prompts: Sequence[StepPrompt]) -> int:
    """The tokens of these prompts of one question, equal prompts and their common beginning once."""
    unique = {prompt.ids: prompt for prompt in prompts}
    if not unique:
        return 0
    shared = shared_length(list(unique.values()))
    return shared + sum(len(ids) - shared for ids in unique)


def _fitting(lengths: Sequence[int], tokens: int) -> int:
    """How many of the leading sequences are at most `tokens` together; at least one."""
    total, count = 0, 0
    for length in lengths:
        total += length
        if total > tokens:
            break
        count += 1
    return max(count, 1)


def _prefix(model: Any, ids: Sequence[int], features: ImageFeatures | None, image_token_id: int) -> Prefix:
    import torch

    with torch.inference_mode():
        return run_prefix(model.get_decoder(), decoder_inputs(model, ids, features, image_token_id))


def _suffixes(
    model: Any, prompts: Sequence[StepPrompt], shared: int, prefix: Prefix, rows: Any | None, image_token_id: int
) -> tuple[Any, ...]:
    """The last layer at the read-outs of each prompt."""
    import torch

    with torch.inference_mode():
        ids = [token for prompt in prompts for token in prompt.ids[shared : prompt.readouts[-1] + 1]]
        embeddings = embed(model, ids, None if rows is None else rows.repeat(len(prompts), 1), image_token_id)
        reads = [[position - shared for position in prompt.readouts] for prompt in prompts]
        states = run_suffixes(
            model.get_decoder(), embeddings, [positions[-1] + 1 for positions in reads], reads, prefix
        )
        parts: tuple[Any, ...] = states.split([len(positions) for positions in reads])
        return parts


def _tokens_that_fit(model: Any) -> int:
    """Tokens of a micro-batch: fixed on a CPU; on a GPU what half of the free memory holds of activations."""
    import torch

    if model.device.type != "cuda":
        return CPU_MICRO_BATCH_TOKENS
    config = model.config.get_text_config()
    bytes_per_token = (10 * config.hidden_size + 4 * config.intermediate_size) * model.dtype.itemsize
    free: int = torch.cuda.mem_get_info(model.device)[0]
    return min(GPU_MICRO_BATCH_TOKENS, int(free / 2 / bytes_per_token))
