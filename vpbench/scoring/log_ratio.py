"""How much likelier than a reference a policy finds each step: the reward that its training has left in it.

A policy trained on outcomes is a reward model of its own: the log-probability that it gives a token, less the one that
the model it began as gives it (arXiv 2412.01981). Both read the whole conversation once, by the engine that runs what
solutions share once. Where a step ends is found as the method's authors do, by the length of the conversation cut off
behind it, so that a step's last token may count with the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from vpbench.base import Critic
from vpbench.errors import ConfigError, CriticError
from vpbench.models.chat import Chat, load_chat
from vpbench.models.checkpoint import checkpoint_fingerprint, checkpoint_folder
from vpbench.models.conversation import IMAGE_MARKER
from vpbench.prompts import Message
from vpbench.records import EMPTY_RESPONSE, Candidate, Question, Score
from vpbench.scoring.label_logits import Engine, StepPrompt
from vpbench.scoring.likelihood import read_log_probs
from vpbench.scoring.shared_prefix import engine_for
from vpbench.scoring.splitting import splitter
from vpbench.scoring.typed_text import NEUTRALISED, cover_typed

CUT_ENDS = ("<|start_header_id|>assistant<|end_header_id|>", "<|eot_id|>")
"""What is taken off the end of a conversation that goes on, in this order; the end of a ChatML turn isn't."""


@dataclass(frozen=True)
class MarkedPrompt:
    """A conversation to be read at `prompt.readouts`, and per step the last position (0-based) that counts for it."""

    prompt: StepPrompt
    marks: tuple[int, ...]


@dataclass(frozen=True)
class LogRatioCritic(Critic):
    """Scores a step by `coefficient` times the log of its probability under `model` over that under `reference`.

    Both are folders or hub ids of models that chat and share a tokenizer; `checkpoint_revision` and
    `reference_revision` are commits on the hub. With `cumulative` a step's score is that of all steps up to it. A
    response is split by the rule that `splitter` names and merged to at most `max_steps` steps (None: not merged);
    steps that the data gives are taken as they are. An image becomes at most `max_tiles` tiles and a thumbnail;
    `ignore_images` asks without them, as text-only models have to be. `system_message` None takes the checkpoint's
    own. Special tokens typed in a question or a response are read as text, unless `released_tokenization`.
    """

    model: str = ""
    reference: str = ""
    checkpoint_revision: str | None = None
    reference_revision: str | None = None
    coefficient: float = 0.001
    cumulative: bool = False
    splitter: str = "numbered"
    max_steps: int | None = None
    max_tiles: int = 12
    ignore_images: bool = False
    dtype: str = "auto"
    device: str = field(default="auto", compare=False)
    system_message: str | None = None
    released_tokenization: bool = False

    def __post_init__(self) -> None:
        splitter(self.splitter)
        if self.max_tiles < 1:
            raise ConfigError(f"{self.name}: max_tiles is {self.max_tiles}; give at least 1")
        if self.max_steps is not None and self.max_steps < 1:
            raise ConfigError(f"{self.name}: max_steps is {self.max_steps}; give at least 1")
        if not self.coefficient > 0:
            raise ConfigError(f"{self.name}: coefficient is {self.coefficient}; give a number above 0")

    def steps(self, candidate: Candidate) -> tuple[str, ...]:
        """The candidate's steps as given, else its split response; none for one without text."""
        steps = candidate.steps
        if steps is None:
            steps = splitter(self.splitter)(candidate.response, self.max_steps)
        return steps if any(step.strip() for step in steps) else ()

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        """The smallest score of a step, and the steps' scores; a response that can't be read gets the reason instead.

        Equal responses are read once. Raises `CriticError` for a reference that reads other tokens than the policy.
        """
        sees = bool(question.images) and not self.ignore_images
        images = [image.open() for image in question.images] if sees else []
        pictures = [chat.vision.tiles(images, self.max_tiles) if sees else (None, []) for chat in self._chats]
        solutions = [self.steps(candidate) for candidate in candidates]
        written: dict[tuple[str, ...], MarkedPrompt | CriticError] = {}
        for steps in dict.fromkeys(filter(None, solutions)):
            written[steps] = self._written(question, steps, [tiles for _, tiles in pictures])
        unique = list({marked: None for marked in written.values() if isinstance(marked, MarkedPrompt)})
        policy, reference = (
            self._log_probs(number, [marked.prompt for marked in unique], pixels)
            for number, (pixels, _) in enumerate(pictures)
        )
        scores = {
            marked: self._score(marked, by_policy.double() - by_reference.double())
            for marked, by_policy, by_reference in zip(unique, policy, reference, strict=True)
        }
        return [_outcome(written.get(steps), scores) for steps in solutions]

    def prepare(self) -> None:
        """Load both models. Raises `CriticError` as well for two that read a conversation as different tokens."""
        drawn = self._written(Question("", "", "1 + 1 = ?"), ("2",), ([], []))
        if isinstance(drawn, CriticError):
            raise drawn

    def revision(self) -> str:
        """Fingerprints of both checkpoints' files."""
        folders = [checkpoint_folder(model, revision) for model, revision in self._models]
        return "-".join(map(checkpoint_fingerprint, folders))

    def _score(self, marked: MarkedPrompt, log_ratios: Any) -> Score:
        """`log_ratios` [readouts] are the log-probabilities under the policy less those under the reference."""
        start = marked.prompt.readouts[0]
        sums = [self.coefficient * float(log_ratios[: mark + 1 - start].sum()) for mark in marked.marks]
        steps = sums if self.cumulative else [end - before for before, end in zip([0.0, *sums], sums, strict=False)]
        return Score(min(steps), tuple(steps), NEUTRALISED if marked.prompt.neutralised else None)

    def _log_probs(self, number: int, prompts: Sequence[StepPrompt], pixels: Any | None) -> list[Any]:
        """By the policy (0) or the reference (1): of each prompt the log-probabilities behind its read-outs."""
        chat = self._chats[number]
        features = None if pixels is None else chat.vision.image_features(pixels)
        checkpoint = chat.checkpoint
        return read_log_probs(self._engines[number], checkpoint.model, prompts, features, checkpoint.image_token_id)

    def _written(
        self, question: Question, steps: tuple[str, ...], tiles: Sequence[Sequence[int]]
    ) -> MarkedPrompt | CriticError:
        """The conversation as both models read it, or why this solution can't be; `tiles` of the images of each."""
        images = question.images if tiles[0] else ()
        asked = question.text if images else question.text.replace(IMAGE_MARKER, "")
        policy = self._chats[0]
        solution, shield = list(steps), None
        if not self.released_tokenization:
            special = policy.checkpoint.tokenizer.special_tokens
            asked, solution, shield = cover_typed(asked, steps, len(images), special)

        def text(count: int) -> str:
            """The conversation that ends behind so many steps."""
            answer = "\n\n".join(solution[:count])
            return policy.text(
                [Message("user", asked, images), Message("assistant", answer)], bool(images), closed=True
            )

        def ids(text: str, number: int = 0) -> list[int]:
            """The tokens of a conversation for the policy (0) or the reference (1)."""
            checkpoint = self._chats[number].checkpoint
            encode = checkpoint.tokenizer.encode if shield is None else partial(shield.encode, checkpoint.tokenizer)
            return checkpoint.encode(text, tiles[number], partial(encode, with_special=policy.template is None))[1]

        whole = text(len(solution))
        try:
            tokens = ids(whole)
            other = ids(whole, 1)
            marks = [len(ids(_cut(text(count), count, len(solution)))) - 2 for count in range(len(solution) + 1)]
        except CriticError as error:
            return error
        if other != tokens:
            raise CriticError(
                f"{self.reference}: reads other tokens than {self.model}; give a reference with the policy's tokenizer"
            )
        longest = min(chat.checkpoint.max_tokens for chat in self._chats)
        if len(tokens) > longest:
            return CriticError(f"too long: {len(tokens)} tokens, the models take {longest}")
        start = marks[0] - 1  # the position that predicts the token at the first mark, which counts
        ends = tuple(min(max(mark, start), len(tokens) - 2) for mark in marks[1:])
        shown = whole if shield is None else shield.uncover(whole)
        readouts = tuple(range(start, max(ends) + 1))
        return MarkedPrompt(StepPrompt(steps, shown, tuple(tokens), readouts, shield is not None), ends)

    @property
    def _models(self) -> list[tuple[str, str | None]]:
        if not self.model or not self.reference:
            raise ConfigError(
                f"{self.name} needs two checkpoints: give the policy's by --critic-model and that of the model it was "
                "trained from by --critic-args reference=FOLDER_OR_ID"
            )
        return [(self.model, self.checkpoint_revision), (self.reference, self.reference_revision)]

    @cached_property
    def _chats(self) -> list[Chat]:
        return [load_chat(*model, self.dtype, self.device, self.system_message) for model in self._models]

    @cached_property
    def _engines(self) -> list[Engine]:
        return [engine_for(chat.checkpoint.model) for chat in self._chats]


def _cut(text: str, count: int, steps: int) -> str:
    """A conversation that ends behind `count` of `steps` steps as it is tokenised to find its length."""
    text = text.strip()
    if count < steps:
        for end in CUT_ENDS:
            text = text.removesuffix(end)
    return text + "\n\n" if 0 < count < steps else text


def _outcome(written: MarkedPrompt | CriticError | None, scores: dict[MarkedPrompt, Score]) -> Score:
    if written is None:
        return Score(None, None, EMPTY_RESPONSE)
    return Score(None, None, str(written)) if isinstance(written, CriticError) else scores[written]
