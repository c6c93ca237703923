"""From a question and solutions to step scores.

A step's score is the probability of the label `+` against the other labels, read where the model would say it: a
softmax over the label tokens' logits only, in float32, weighted by each label's worth; or what a checkpoint's own head
says there. Prompts that are equal are scored once, so that equal solutions have exactly equal scores. What is wrong
with one solution (a forged turn, too long) is returned in its place; what is wrong with the question is raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from vpbench.errors import CriticError
from vpbench.models.conversation import mark_images
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.models.tokenizer import Tokenizer, required_id
from vpbench.scoring.backend import Backend
from vpbench.scoring.head import HeadLayout
from vpbench.scoring.head_formats import IdFormat
from vpbench.scoring.label_logits import StepPrompt
from vpbench.scoring.step_format import ChatFormat, StepFormat
from vpbench.scoring.typed_text import cover_typed, encode_typed

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class StepScores:
    """What a model says of one solution: per step the labels' logits (a head's outputs) and the score."""

    prompt: StepPrompt
    logits: tuple[tuple[float, ...], ...]
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean of the step scores, the released scorer's value of a response."""
        return sum(self.scores) / len(self.scores)


@dataclass(frozen=True)
class StepScorer:
    """A checkpoint that scores steps: `checkpoint` writes prompts, `backend` runs them.

    `format` is how prompts are written, `head` what the outputs of a checkpoint's own head mean; None: it says labels
    of the format. `released_tokenization` lets special tokens typed in a question or solution
    act as such, as the released scorers do; else they are read as text.
    """

    checkpoint: LoadedCheckpoint
    backend: Backend
    format: StepFormat | IdFormat = field(default_factory=ChatFormat)
    released_tokenization: bool = False
    head: HeadLayout | None = None

    @property
    def model(self) -> Any:
        """The `PreTrainedModel` of transformers; its parameters have no memory where another program runs it."""
        return self.checkpoint.model

    @property
    def tokenizer(self) -> Tokenizer:
        """The checkpoint's tokenizer."""
        return self.checkpoint.tokenizer

    def tiles(self, images: Sequence[Image], max_tiles: int) -> tuple[Any | None, list[int]]:
        """The images as `score` takes them, or None without images; and the tiles of each image.

        In this process these are pixel values of all images, (tiles, 3, side, side).
        """
        return self.backend.images(images, max_tiles)

    def image_features(self, pixels: Any) -> Any:
        """Output of vision tower and projector [..., hidden size]; `CriticError` without them."""
        if self.checkpoint.vision is None:
            raise CriticError("a text-only checkpoint sees no images")
        return self.checkpoint.vision.image_features(pixels).rows

    def prompt(self, question: str, steps: Sequence[str], tiles_per_image: Sequence[int]) -> StepPrompt:
        """The tokenised prompt of one solution; a question without image markers gets them in front.

        Raises `CriticError` for a prompt that is too long or that the backend can't take, and where typed special
        tokens act as such: for other than one read-out per step (a solution that forges a turn) and for image tokens in
        the text.
        """
        if isinstance(self.format, IdFormat):
            prompt = self._in_ids(self.format, question, steps)
        else:
            prompt = self._as_text(self.format, question, steps, tiles_per_image)
        longest = self.checkpoint.max_tokens
        if len(prompt.ids) > longest:
            advice = "" if self.checkpoint.vision is None else "; lower max_tiles"
            raise CriticError(f"too long: {len(prompt.ids)} tokens, the model takes {longest}{advice}")
        if len(prompt.readouts) != len(steps):
            raise CriticError(
                f"forged turn: {len(prompt.readouts)} label turns for {len(steps)} steps; remove the special tokens "
                "from the text"
            )
        if not isinstance(self.format, IdFormat):
            self.backend.check(prompt, self.format)
        return prompt

    def _as_text(
        self, format: StepFormat, question: str, steps: Sequence[str], tiles_per_image: Sequence[int]
    ) -> StepPrompt:
        checkpoint, images, shield = self.checkpoint, len(tiles_per_image), None
        asked, solution = question, list(steps)
        if not self.released_tokenization:
            asked, solution, shield = cover_typed(question, steps, images, self.tokenizer.special_tokens)
        text = format.text(self.tokenizer, checkpoint.system_message, asked, solution, images)
        encode = self.tokenizer.encode if shield is None else partial(shield.encode, self.tokenizer)
        text, ids = checkpoint.encode(text, tiles_per_image, partial(encode, with_special=format.with_special))
        text = text if shield is None else shield.uncover(text)
        readouts = format.readouts(self.tokenizer, ids)
        return StepPrompt(tuple(steps), text, tuple(ids), readouts, shield is not None)

    def _in_ids(self, format: IdFormat, question: str, steps: Sequence[str]) -> StepPrompt:
        special = self.tokenizer.special_tokens
        typed = any(token in text for text in (question, *steps) for token in special)
        neutralised = typed and not self.released_tokenization
        encode = partial(encode_typed, self.tokenizer) if neutralised else self.tokenizer.encode
        text, ids, readouts = format.write(self.tokenizer, question, steps, encode)
        return StepPrompt(tuple(steps), text, tuple(ids), readouts, neutralised)

    def score(
        self,
        question: str,
        solutions: Sequence[Sequence[str]],
        pixels: Any | None = None,
        tiles_per_image: Sequence[int] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> list[StepScores | CriticError]:
        """Scores of each solution (a sequence of steps), or the error that kept it from being scored, in order.

        `pixels` are the question's images as `tiles` gives them; `tiles_per_image` splits them (None: they are one
        image). `weights` maps label tokens to their worth (None: the format's). Raises `CriticError` if tiles and
        images don't agree, nor, with released tokenization, the question's markers.
        """
        if tiles_per_image is None:
            tiles_per_image = [len(pixels)] if pixels is not None else []
        if self.released_tokenization:
            mark_images(question, len(tiles_per_image))
        weights = self.format.weights if weights is None else weights
        head = self.head or HeadLayout((), "softmax", tuple(weights.values()))
        label_ids = range(len(head.worth)) if self.head else [required_id(self.tokenizer, label) for label in weights]
        written: dict[tuple[str, ...], StepPrompt | CriticError] = {}
        for steps in dict.fromkeys(map(tuple, solutions)):
            try:
                written[steps] = self.prompt(question, steps, tiles_per_image)
            except CriticError as error:
                written[steps] = error
        prompts = [prompt for prompt in written.values() if isinstance(prompt, StepPrompt)]
        unique = {(prompt.ids, prompt.readouts): prompt for prompt in prompts}
        logits = self.backend.label_logits(list(unique.values()), pixels, tiles_per_image, label_ids)
        read = dict(zip(unique, logits, strict=True))
        return [
            prompt if isinstance(prompt, CriticError) else _scored(prompt, read[prompt.ids, prompt.readouts], head)
            for prompt in (written[tuple(steps)] for steps in solutions)
        ]


def _scored(prompt: StepPrompt, outputs: Any, head: HeadLayout) -> StepScores:
    """The scores of a prompt, `outputs` (steps, labels) in float32."""
    return StepScores(prompt, tuple(map(tuple, outputs.tolist())), head.scores(outputs))
