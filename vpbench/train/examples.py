"""Labelled solutions -> the critic's prompt, and the labels that it should give.

The token ids are those that scoring makes of the same question and steps (`StepScorer.prompt`); all that training
changes is the label in an assistant turn. A solution that can't be shown (too long, nothing labelled) is left out and
counted by its reason; an image that is missing stops the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError, CriticError, DataError
from vpbench.models.conversation import ASSISTANT_ROLE, IMAGE_MARKER, LABEL_TURN, SEPARATOR
from vpbench.models.tiles import tile_count
from vpbench.models.tokenizer import required_id
from vpbench.records import CORRECT, INCORRECT, NEUTRAL, ImageRef, LabelledSolution, Question, Reason
from vpbench.scoring.step_format import ChatFormat, MarkerFormat
from vpbench.scoring.step_scorer import StepScorer
from vpbench.train.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Example:
    """One solution: `labels` are CORRECT, INCORRECT, or NEUTRAL for a step without loss; `length` counts its tokens,
    `image_tokens` those of images among them."""

    question: Question
    steps: tuple[str, ...]
    labels: tuple[int, ...]
    length: int
    image_tokens: int


def taught(solution: LabelledSolution, recipe: Recipe) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Steps and labels that a recipe teaches of a solution: all, up to the first error, or the outcome of the whole."""
    steps = solution.candidate.steps or ()
    if recipe.unit == "response":
        return (solution.candidate.response,), solution.labels[-1:]
    if recipe.until_first_error and INCORRECT in solution.labels:
        end = solution.labels.index(INCORRECT) + 1
        return steps[:end], solution.labels[:end]
    return steps, solution.labels


def label_ids(scorer: StepScorer) -> tuple[int, int]:
    """Ids of the labels of a right and of a wrong step.

    Raises `CriticError` for a tokenizer that lacks one of them, or the marker, or doesn't write both as one token of an
    assistant turn, and `ConfigError` for a format that can't be trained.
    """
    if isinstance(scorer.format, MarkerFormat):
        scorer.format.readouts(scorer.tokenizer, [])
        right, wrong = sorted(scorer.format.weights, key=scorer.format.weights.__getitem__, reverse=True)
        return required_id(scorer.tokenizer, right), required_id(scorer.tokenizer, wrong)
    if not isinstance(scorer.format, ChatFormat):
        raise ConfigError(f"a critic with a {type(scorer.format).__name__} can't be trained; see docs/training.md")
    encode = scorer.tokenizer.encode
    plus, minus = (scorer.tokenizer.token_id(sign) for sign in "+-")
    turn = encode(LABEL_TURN, with_special=False)
    start = len(encode(ASSISTANT_ROLE, with_special=False))
    other = encode(f"{ASSISTANT_ROLE}-{SEPARATOR}", with_special=False)
    if plus is None or minus is None or turn[start] != plus or other != [*turn[:start], minus, *turn[start + 1 :]]:
        raise CriticError(
            "the base's tokenizer doesn't write `+` and `-` as single tokens of an assistant turn; "
            "train from another base"
        )
    return plus, minus


@dataclass(frozen=True)
class Encoder:
    """Writes token ids for one base checkpoint."""

    scorer: StepScorer
    max_tiles: int
    plus: int
    minus: int
    _tiles: dict[Path | str, int] = field(default_factory=dict, init=False)

    def label_id(self, label: int) -> int:
        """The token of a label; a neutral step, which carries no loss, holds `+` as in scoring."""
        return self.minus if label == INCORRECT else self.plus

    @property
    def sees_images(self) -> bool:
        """Whether the base has a vision tower; where not, images and their markers are left out."""
        return self.scorer.checkpoint.vision is not None

    @property
    def image_size(self) -> int:
        """The side of a tile in pixels."""
        return int(self.scorer.model.config.vision_config.image_size[0])

    def tiles(self, question: Question) -> list[int]:
        """How many tiles each image of a question becomes, from the images' headers. Raises `DataError`."""
        images = question.images if self.sees_images else ()
        for image in images:
            if identity(image) not in self._tiles:
                self._tiles[identity(image)] = tile_count(*image.size(), self.max_tiles, self.image_size)
        return [self._tiles[identity(image)] for image in images]

    def encode(
        self, question: Question, steps: Sequence[str], history: Sequence[int] = ()
    ) -> tuple[list[int], tuple[int, ...]]:
        """Token ids, and the positions whose logits predict the labels.

        `history`: labels to write into the assistant turns; where it is empty these hold `+`. Raises `CriticError` for
        a solution that can't be shown.
        """
        text = question.text if self.sees_images else question.text.replace(IMAGE_MARKER, "")
        prompt = self.scorer.prompt(text, steps, self.tiles(question))
        ids = list(prompt.ids)
        if isinstance(self.scorer.format, ChatFormat):  # others have no turn for a label to stand in
            for readout, label in zip(prompt.readouts, history, strict=False):
                ids[readout + 1] = self.label_id(label)
        return ids, prompt.readouts


def read_examples(
    encoder: Encoder, recipe: Recipe, solutions: Iterable[LabelledSolution], advance: Callable[[], Any]
) -> tuple[list[Example], Counter[str]]:
    """The examples in order, and how many solutions were left out for which reason; `advance` is called for each.

    Raises `DataError` where no solution is left and, if the base sees images, where none has one or one holds a marker
    without an image.
    """
    examples: list[Example] = []
    left_out: Counter[str] = Counter()
    for solution in solutions:
        advance()
        question, (steps, labels) = solution.question, taught(solution, recipe)
        if encoder.sees_images and IMAGE_MARKER in question.text and not question.images:
            raise DataError(f"{question.id}: the question holds {IMAGE_MARKER}, the row names no image; add `image`")
        if all(label == NEUTRAL for label in labels):
            left_out["no label"] += 1
            continue
        try:
            ids, _ = encoder.encode(question, steps)
        except CriticError as error:
            left_out[Reason(error).kind] += 1
            continue
        examples.append(Example(question, steps, labels, len(ids), ids.count(encoder.scorer.checkpoint.image_token_id)))
    if not examples:
        counts = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "the files hold no rows"
        raise DataError(f"nothing to train on: {counts}; give files of labelled solutions by --data")
    if encoder.sees_images and not any(example.question.images for example in examples):
        raise DataError("no row names an image, and this critic sees images; add `image` (a path relative to the file)")
    return examples, left_out


def label_weights(examples: Sequence[Example], class_weights: bool) -> dict[int, float]:
    """What a label weighs in the loss; with `class_weights` so that both classes weigh the same in total.

    Class c of n_c among n labels weighs n / (2 n_c), the "balanced" heuristic of King and Zeng (2001).
    """
    counts = Counter(label for example in examples for label in example.labels if label != NEUTRAL)
    if not class_weights:
        return {CORRECT: 1.0, INCORRECT: 1.0, NEUTRAL: 0.0}
    total = sum(counts.values())
    weights = {label: total / (2 * counts[label]) for label in (CORRECT, INCORRECT) if counts[label]}
    return {NEUTRAL: 0.0, **weights}


def identity(image: ImageRef) -> Path | str:
    """Equal for rows that show the same image file."""
    return image.path or image.name
