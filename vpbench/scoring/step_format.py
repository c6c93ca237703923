"""How a solution is written down for a step-scoring model, and where its opinion of each step is read.

The engine runs any of these formats: it needs the text, the positions to read, and the label tokens. `ChatFormat` is
VisualPRM's, one turn per step; `TurnFormat` does the same by the checkpoint's own chat template; `MarkerFormat` puts a
marker token behind each step and reads what the model says there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from vpbench.errors import CriticError
from vpbench.models.conversation import (
    ASSISTANT_ROLE,
    IMAGE_MARKER,
    LABEL_PLACEHOLDER,
    LABEL_TURN,
    SEPARATOR,
    SYSTEM_ROLE,
    USER_ROLE,
    find_readouts,
    mark_images,
    render,
)
from vpbench.models.tokenizer import Tokenizer, TransformersTokenizer

LABEL_WEIGHTS: Mapping[str, float] = MappingProxyType({"+": 1.0, "-": 0.0})
NO_STEPS = "no steps: a solution without steps can't be scored; give at least one"


class StepFormat(Protocol):
    """What the engine needs to know of a model's format."""

    @property
    def weights(self) -> Mapping[str, float]:
        """The label tokens, as the vocabulary writes them, and what each is worth."""

    @property
    def with_special(self) -> bool:
        """Whether the tokenizer puts its own tokens, such as BOS, around the text."""

    def text(self, tokenizer: Tokenizer, system_message: str, question: str, steps: Sequence[str], images: int) -> str:
        """The whole prompt, with one marker `<image>` per image. Raises `CriticError` without steps."""

    def readouts(self, tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[int, ...]:
        """Positions (0-based) in `ids` whose logits predict the labels."""


@dataclass(frozen=True)
class ChatFormat:
    """One user turn per step, each followed by an assistant turn already filled with `+` (see `conversation`)."""

    weights: Mapping[str, float] = field(default_factory=lambda: LABEL_WEIGHTS)
    with_special: bool = True

    def text(self, tokenizer: Tokenizer, system_message: str, question: str, steps: Sequence[str], images: int) -> str:
        """See `StepFormat`."""
        return render(system_message, mark_images(question, images), steps)

    def readouts(self, tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[int, ...]:
        """The last token before each `+`, the position that predicts it."""
        return _before_labels(tokenizer, ids, ASSISTANT_ROLE, LABEL_TURN)


@dataclass(frozen=True)
class TurnFormat:
    """One user turn per step, the question before the first, each answered by `label`; the checkpoint's own template.

    `role` is what the template writes before an assistant's words and `end` what it writes behind them. `first` is the
    turn of question and first step. Images stand where the question's markers are, or in front of that turn.
    """

    role: str
    end: str
    label: str
    weights: Mapping[str, float]
    with_special: bool = False
    first: str = "{question} {step}"

    def text(self, tokenizer: Tokenizer, system_message: str, question: str, steps: Sequence[str], images: int) -> str:
        """See `StepFormat`. Raises `CriticError` for a tokenizer without a chat template."""
        if not steps:
            raise CriticError(NO_STEPS)
        first = _in_front(question, images) + self.first.format(question=question, step=steps[0])
        turns = [turn for text in (first, *steps[1:]) for turn in (("user", text), ("assistant", self.label))]
        return templated(tokenizer, _messages(system_message, turns))

    def readouts(self, tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[int, ...]:
        """The last token before each label, the position that predicts it."""
        return _before_labels(tokenizer, ids, self.role, self.role + self.label + self.end)


@dataclass(frozen=True)
class AnswerFormat:
    """The question as the user's turn and the solution as the assistant's, read at the very last token.

    For a checkpoint with a head of its own. By the checkpoint's own template; images stand where the question's markers
    are, or in front of it.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    with_special: bool = False

    def text(self, tokenizer: Tokenizer, system_message: str, question: str, steps: Sequence[str], images: int) -> str:
        """See `StepFormat`. Raises `CriticError` for a tokenizer without a chat template."""
        if not steps:
            raise CriticError(NO_STEPS)
        turns = [("user", _in_front(question, images) + question), ("assistant", "\n\n".join(steps))]
        return templated(tokenizer, _messages(system_message, turns))

    def readouts(self, tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[int, ...]:
        """The last token, behind the template's end of the turn."""
        return (len(ids) - 1,)


@dataclass(frozen=True)
class MarkerFormat:
    """A marker behind each step, at which the model says its label.

    `opening` stands before the question, `between` before the first step, `marker` behind each step, `separator`
    between steps; `marker_token` is the marker as the vocabulary writes it. `in_chat` puts it all into the assistant's
    turn of an `internvl2_5` conversation whose user says nothing.
    """

    opening: str
    between: str
    marker: str
    marker_token: str
    separator: str
    weights: Mapping[str, float]
    in_chat: bool = False
    with_special: bool = True

    def text(self, tokenizer: Tokenizer, system_message: str, question: str, steps: Sequence[str], images: int) -> str:
        """See `StepFormat`."""
        if not steps:
            raise CriticError(NO_STEPS)
        marked = self.separator.join(step + self.marker for step in steps)
        text = mark_images(self.opening + question, images) + self.between + marked
        if not self.in_chat:
            return text
        return SYSTEM_ROLE + system_message + SEPARATOR + USER_ROLE + ASSISTANT_ROLE + text + SEPARATOR

    def readouts(self, tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[int, ...]:
        """The markers' own positions."""
        marker = tokenizer.token_id(self.marker_token)
        if marker is None:
            raise CriticError(f"the tokenizer has no token {self.marker_token!r}; is this a checkpoint of that critic?")
        return tuple(position for position, id in enumerate(ids) if id == marker)


CHAT_TEMPLATE_TURNS = TurnFormat(
    role=ASSISTANT_ROLE,
    end=SEPARATOR,
    label=LABEL_PLACEHOLDER,
    weights=LABEL_WEIGHTS,
    first="### Question:\n{question}\n\n### Solution Process:\n{step}",
)
"""VisualPRM's turns in the chat template of Qwen2.5-VL and Qwen3-VL, images in front without a line's end."""


def _in_front(question: str, images: int) -> str:
    """The markers in front of a turn whose question has none. Raises `CriticError` for another number of its own."""
    return "" if mark_images(question, images) == question else IMAGE_MARKER * images


def _messages(system_message: str, turns: Sequence[tuple[str, str]]) -> list[Mapping[str, str]]:
    """Turns (role, text) behind the system message, if there is one."""
    opening = [("system", system_message)] if system_message else []
    return [{"role": role, "content": text} for role, text in (*opening, *turns)]


def templated(tokenizer: Tokenizer, turns: Sequence[Mapping[str, str]]) -> str:
    """A finished conversation by the tokenizer's chat template. Raises `CriticError` if it has none, or it fails."""
    if not isinstance(tokenizer, TransformersTokenizer) or not tokenizer.inner.chat_template:
        raise CriticError("the tokenizer has no chat template; use the tokenizer files of the checkpoint")
    try:
        return str(tokenizer.inner.apply_chat_template(turns, tokenize=False))
    except Exception as error:  # templates raise whatever they like
        raise CriticError(f"the chat template fails ({error}); use the checkpoint's own tokenizer files") from error


def _before_labels(tokenizer: Tokenizer, ids: Sequence[int], role: str, turn: str) -> tuple[int, ...]:
    wanted = tokenizer.encode(turn, with_special=False)
    return find_readouts(ids, wanted, len(tokenizer.encode(role, with_special=False)))
