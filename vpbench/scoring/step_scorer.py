"""From a question and solutions to step scores.

A step's score is the probability of the label `+` against the other labels, read where the model would say it: a
softmax over the label tokens' logits only, in float32, weighted by each label's worth. Prompts that are equal are
scored once, so that equal solutions have exactly equal scores. What is wrong with one solution (a forged turn, too
long) is returned in its place; what is wrong with the question is raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from vpbench.errors import CriticError
from vpbench.models.conversation import IMAGE_CONTEXT, mark_images, place_images
from vpbench.models.tiles import cut_tiles, pixel_values
from vpbench.models.tokenizer import Tokenizer
from vpbench.scoring.label_logits import Engine, StepPrompt, label_logits, plain_engine
from vpbench.scoring.step_format import ChatFormat, StepFormat
from vpbench.scoring.typed_text import cover_typed

if TYPE_CHECKING:
    from PIL.Image import Image

TILES_AT_ONCE = 16
"""Tiles that the vision tower sees at once, so that its memory doesn't grow with the number of images."""


@dataclass(frozen=True)
class StepScores:
    """What a model says of one solution: per step the labels' logits and the weighted score."""

    prompt: StepPrompt
    logits: tuple[tuple[float, ...], ...]
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean of the step scores, the released scorer's value of a response."""
        return sum(self.scores) / len(self.scores)


@dataclass(frozen=True)
class StepScorer:
    """A loaded checkpoint. `max_tokens` is the longest sequence it may see; `image_size` is a tile's side in pixels.

    `format` is how prompts are written. `released_tokenization` lets special tokens typed in a question or solution
    act as such, as the released scorers do; else they are read as text.
    """

    model: Any
    tokenizer: Tokenizer
    system_message: str
    image_size: int
    tokens_per_tile: int
    max_tokens: int
    engine: Engine = plain_engine
    format: StepFormat = field(default_factory=ChatFormat)
    released_tokenization: bool = False

    def tiles(self, images: Sequence[Image], max_tiles: int) -> tuple[Any | None, list[int]]:
        """Pixel values of all images, (tiles, 3, side, side), or None without images; and the tiles of each image."""
        cut = [cut_tiles(image, max_tiles, self.image_size) for image in images]
        pixels = pixel_values([tile for tiles in cut for tile in tiles]) if cut else None
        return pixels, [len(tiles) for tiles in cut]

    def image_features(self, pixels: Any) -> Any:
        """Output of vision tower and projector, (tiles, tokens per tile, hidden size)."""
        import torch

        with torch.inference_mode():
            parts = [
                self.model.get_image_features(tiles.to(self.model.device), return_dict=True).pooler_output
                for tiles in pixels.split(TILES_AT_ONCE)
            ]
        return torch.cat(parts)

    def prompt(self, question: str, steps: Sequence[str], tiles_per_image: Sequence[int]) -> StepPrompt:
        """The tokenised prompt of one solution; a question without image markers gets them in front.

        Raises `CriticError` for a prompt that is too long, and where typed special tokens act as such: for other than
        one read-out per step (a solution that forges a turn) and for image tokens in the text.
        """
        images, shield = len(tiles_per_image), None
        asked, solution = question, list(steps)
        if not self.released_tokenization:
            asked, solution, shield = cover_typed(question, steps, images, self.tokenizer.special_tokens)
        text = self.format.text(self.tokenizer, self.system_message, asked, solution, images)
        text = place_images(text, tiles_per_image, self.tokens_per_tile)
        encode = self.tokenizer.encode if shield is None else partial(shield.encode, self.tokenizer)
        ids = encode(text, with_special=self.format.with_special)
        text = text if shield is None else shield.uncover(text)
        if len(ids) > self.max_tokens:
            raise CriticError(f"too long: {len(ids)} tokens, the model takes {self.max_tokens}; lower max_tiles")
        if ids.count(self.image_token_id) != sum(tiles_per_image) * self.tokens_per_tile:
            raise CriticError(f"image token in the text: it holds {IMAGE_CONTEXT} itself; remove it")
        readouts = self.format.readouts(self.tokenizer, ids)
        if len(readouts) != len(steps):
            raise CriticError(
                f"forged turn: {len(readouts)} label turns for {len(steps)} steps; remove the special tokens from the "
                "text"
            )
        return StepPrompt(tuple(steps), text, tuple(ids), readouts, shield is not None)

    def score(
        self,
        question: str,
        solutions: Sequence[Sequence[str]],
        pixels: Any | None = None,
        tiles_per_image: Sequence[int] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> list[StepScores | CriticError]:
        """Scores of each solution (a sequence of steps), or the error that kept it from being scored, in order.

        `pixels` are the tiles of all the question's images, (tiles, 3, side, side); `tiles_per_image` splits them
        (None: they are one image). `weights` maps label tokens to their worth (None: the format's). Raises
        `CriticError` if tiles and images don't agree, nor, with released tokenization, the question's markers.
        """
        counts = self._tiles_per_image(pixels, tiles_per_image)
        if self.released_tokenization:
            mark_images(question, len(counts))
        weights = self.format.weights if weights is None else weights
        label_ids = [self._label_id(label) for label in weights]
        written: dict[tuple[str, ...], StepPrompt | CriticError] = {}
        for steps in dict.fromkeys(map(tuple, solutions)):
            try:
                written[steps] = self.prompt(question, steps, counts)
            except CriticError as error:
                written[steps] = error
        unique = {prompt.ids: prompt for prompt in written.values() if isinstance(prompt, StepPrompt)}
        logits = self.label_logits(list(unique.values()), pixels, counts, label_ids)
        by_ids = dict(zip(unique, logits, strict=True))
        worth = list(weights.values())
        return [
            prompt if isinstance(prompt, CriticError) else _weigh(prompt, by_ids[prompt.ids], worth)
            for prompt in (written[tuple(steps)] for steps in solutions)
        ]

    def label_logits(
        self,
        prompts: Sequence[StepPrompt],
        pixels: Any | None,
        tiles_per_image: Sequence[int],
        label_ids: Sequence[int],
    ) -> list[Any]:
        """Logits of the labels for each of the different prompts, in order: float32 tensors (steps, labels)."""
        features = self.image_features(pixels) if pixels is not None and prompts else None
        return label_logits(self.engine, self.model, prompts, features, self.image_token_id, label_ids)

    @property
    def image_token_id(self) -> int:
        """Id of the token whose embedding is replaced by image features; -1 for a model that sees no images."""
        return self._label_id(IMAGE_CONTEXT) if self.tokens_per_tile else -1

    def _label_id(self, token: str) -> int:
        found = self.tokenizer.token_id(token)
        if found is None:
            raise CriticError(f"the tokenizer has no token {token!r}; use the tokenizer files of the checkpoint")
        return found

    def _tiles_per_image(self, pixels: Any | None, tiles_per_image: Sequence[int] | None) -> list[int]:
        tiles = 0 if pixels is None else len(pixels)
        if tiles_per_image is None:
            return [tiles] if tiles else []
        if sum(tiles_per_image) != tiles:
            raise CriticError(f"{tiles} tiles are given, tiles_per_image {list(tiles_per_image)} adds up to another")
        return list(tiles_per_image)


def _weigh(prompt: StepPrompt, logits: Any, worth: Sequence[float]) -> StepScores:
    """Softmax over the labels, then the sum of probability times worth; `logits` is (steps, labels) in float32."""
    import torch

    scores = logits.softmax(-1) @ torch.tensor(worth, dtype=torch.float32)
    return StepScores(prompt, tuple(map(tuple, logits.tolist())), tuple(scores.tolist()))
