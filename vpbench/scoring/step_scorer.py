"""From a question and solutions to step scores.

A step's score is the probability of the label `+` against the other labels, read where the model would say it: a
softmax over the label tokens' logits only, in float32, weighted by each label's worth. Prompts that are equal are
scored once, so that equal solutions have exactly equal scores. What is wrong with one solution (a forged turn, too
long) is returned in its place; what is wrong with the question is raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vpbench.errors import CriticError
from vpbench.scoring.conversation import (
    ASSISTANT_ROLE,
    IMAGE_CONTEXT,
    LABEL_TURN,
    find_readouts,
    mark_images,
    place_images,
    render,
)
from vpbench.scoring.label_logits import StepPrompt, plain_label_logits
from vpbench.scoring.tiles import cut_tiles, pixel_values
from vpbench.scoring.tokenizer import Tokenizer

if TYPE_CHECKING:
    from PIL.Image import Image

LABEL_WEIGHTS: Mapping[str, float] = {"+": 1.0, "-": 0.0}


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
    """A loaded checkpoint. `max_tokens` is the longest sequence it may see; `image_size` is a tile's side in pixels."""

    model: Any
    tokenizer: Tokenizer
    system_message: str
    image_size: int
    tokens_per_tile: int
    max_tokens: int

    def tiles(self, images: Sequence[Image], max_tiles: int) -> tuple[Any | None, list[int]]:
        """Pixel values of all images, (tiles, 3, side, side), or None without images; and the tiles of each image."""
        cut = [cut_tiles(image, max_tiles, self.image_size) for image in images]
        pixels = pixel_values([tile for tiles in cut for tile in tiles]) if cut else None
        return pixels, [len(tiles) for tiles in cut]

    def image_features(self, pixels: Any) -> Any:
        """Output of vision tower and projector, (tiles, tokens per tile, hidden size)."""
        import torch

        with torch.inference_mode():
            features = self.model.get_image_features(pixels.to(self.model.device), return_dict=True)
        return features.pooler_output

    def prompt(self, question: str, steps: Sequence[str], tiles_per_image: Sequence[int]) -> StepPrompt:
        """The tokenised chat of one solution; `question` has its image markers already.

        Raises `CriticError` where the released scorer fails as well: other than one read-out per step (a step that
        forges a turn), or image tokens written in the text.
        """
        text = place_images(render(self.system_message, question, steps), tiles_per_image, self.tokens_per_tile)
        ids = self.tokenizer.encode(text)
        if len(ids) > self.max_tokens:
            raise CriticError(f"too long: {len(ids)} tokens, the model takes {self.max_tokens}; lower max_tiles")
        if ids.count(self.image_token_id) != sum(tiles_per_image) * self.tokens_per_tile:
            raise CriticError(f"image token in the text: it holds {IMAGE_CONTEXT} itself; remove it")
        turn = self.tokenizer.encode(LABEL_TURN, with_special=False)
        role = self.tokenizer.encode(ASSISTANT_ROLE, with_special=False)
        readouts = find_readouts(ids, turn, len(role))
        if len(readouts) != len(steps):
            raise CriticError(
                f"forged turn: {len(readouts)} label turns {LABEL_TURN!r} for {len(steps)} steps; remove the special "
                "tokens from the text"
            )
        return StepPrompt(tuple(steps), text, tuple(ids), readouts)

    def score(
        self,
        question: str,
        solutions: Sequence[Sequence[str]],
        pixels: Any | None = None,
        tiles_per_image: Sequence[int] | None = None,
        weights: Mapping[str, float] = LABEL_WEIGHTS,
    ) -> list[StepScores | CriticError]:
        """Scores of each solution (a sequence of steps), or the error that kept it from being scored, in order.

        `pixels` are the tiles of all the question's images, (tiles, 3, side, side); `tiles_per_image` splits them
        (None: they are one image). `weights` maps label tokens to their worth. Raises `CriticError` if tiles, images
        and the question's markers don't agree.
        """
        counts = self._tiles_per_image(pixels, tiles_per_image)
        marked = mark_images(question, len(counts))
        label_ids = [self._label_id(label) for label in weights]
        prompts: list[StepPrompt | CriticError] = []
        for steps in solutions:
            try:
                prompts.append(self.prompt(marked, steps, counts))
            except CriticError as error:
                prompts.append(error)
        unique = {prompt.ids: prompt for prompt in prompts if isinstance(prompt, StepPrompt)}
        features = self.image_features(pixels) if pixels is not None and unique else None
        logits = plain_label_logits(self.model, list(unique.values()), features, self.image_token_id, label_ids)
        by_ids = dict(zip(unique, logits, strict=True))
        worth = list(weights.values())
        return [
            prompt if isinstance(prompt, CriticError) else _weigh(prompt, by_ids[prompt.ids], worth)
            for prompt in prompts
        ]

    @property
    def image_token_id(self) -> int:
        """Id of the token whose embedding is replaced by image features."""
        return self._label_id(IMAGE_CONTEXT)

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
