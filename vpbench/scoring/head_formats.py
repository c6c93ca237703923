"""How a solution is written down for a reward model with a head of its own, and where that head is read.

`ChatMarkerFormat` is a text like any other format's. The others are known by their tokens only, an `IdFormat` each:
`PieceFormat` tokenises question, steps and separators apart, as such models are trained, and `JoinedFormat` tokenises
the text of question and steps up to each step, as their documentation asks them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from vpbench.errors import CriticError
from vpbench.models.tokenizer import Tokenizer, TransformersTokenizer
from vpbench.scoring.step_format import NO_STEPS, templated


class Encode(Protocol):
    """Token ids of a text in which what somebody typed is treated as it has to be."""

    def __call__(self, text: str, *, with_special: bool) -> list[int]:
        """With `with_special` the tokenizer's own tokens, such as BOS, are put around the text."""


@runtime_checkable
class IdFormat(Protocol):
    """A format that a text alone doesn't describe; for text-only models."""

    @property
    def weights(self) -> Mapping[str, float]:
        """See `StepFormat`."""

    def write(
        self, tokenizer: Tokenizer, question: str, steps: Sequence[str], encode: Encode
    ) -> tuple[str, list[int], tuple[int, ...]]:
        """The text, its token ids, and the position (0-based) in them where each step is read.

        Raises `CriticError` without steps and for what can't be written so.
        """


@dataclass(frozen=True)
class ChatMarkerFormat:
    """The question as the user's turn and the steps as the assistant's, a marker directly behind each of them.

    By the checkpoint's own chat template; the marker is one token of the vocabulary, and is read itself.
    """

    marker: str
    weights: Mapping[str, float] = field(default_factory=dict)
    with_special: bool = False

    def text(self, tokenizer: Tokenizer, system_message: str, question: str, steps: Sequence[str], images: int) -> str:
        """See `StepFormat`. Raises `CriticError` for a tokenizer without a chat template."""
        if not steps:
            raise CriticError(NO_STEPS)
        turns = [{"role": "system", "content": system_message}] if system_message else []
        marked = "".join(step + self.marker for step in steps)
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": marked}]
        return templated(tokenizer, turns)

    def readouts(self, tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[int, ...]:
        """The markers' own positions."""
        marker = tokenizer.token_id(self.marker)
        if marker is None:
            raise CriticError(f"the tokenizer has no token {self.marker!r}; use the tokenizer files of the checkpoint")
        return tuple(position for position, id in enumerate(ids) if id == marker)


@dataclass(frozen=True)
class PieceFormat:
    """BOS, the question and `between`, then each step and `separator`, read at the separator's last token.

    All are tokenised apart. A tokenizer without BOS has none in front, or is refused by `needs_bos`. With `by_line` the
    separator stands behind each line of a step, which is read at the last of them.
    """

    separator: str
    between: str = ""
    needs_bos: bool = False
    by_line: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)
    with_special: bool = False

    def write(
        self, tokenizer: Tokenizer, question: str, steps: Sequence[str], encode: Encode
    ) -> tuple[str, list[int], tuple[int, ...]]:
        """See `IdFormat`."""
        if not steps:
            raise CriticError(NO_STEPS)
        inner = tokenizer.inner if isinstance(tokenizer, TransformersTokenizer) else None
        if self.needs_bos and getattr(inner, "bos_token_id", None) is None:
            raise CriticError("the tokenizer has no bos_token; use the tokenizer files of the checkpoint")
        bos = [] if inner is None or inner.bos_token_id is None else [int(inner.bos_token_id)]
        text = ("" if not bos or inner is None else str(inner.bos_token)) + question + self.between
        ids = bos + encode(question + self.between, with_special=False)
        separator = encode(self.separator, with_special=False)
        readouts = []
        for step in steps:
            for line in step.split("\n") if self.by_line else (step,):
                text += line + self.separator
                ids += encode(line, with_special=False) + separator
            readouts.append(len(ids) - 1)
        return text, ids, tuple(readouts)


@dataclass(frozen=True)
class JoinedFormat:
    """Question and steps with `separator` behind each, tokenised as one text that ends behind the step to be read."""

    separator: str
    weights: Mapping[str, float] = field(default_factory=dict)
    with_special: bool = True

    def write(
        self, tokenizer: Tokenizer, question: str, steps: Sequence[str], encode: Encode
    ) -> tuple[str, list[int], tuple[int, ...]]:
        """See `IdFormat`. Raises `CriticError` where a step's beginning changes the tokens of what stands before it."""
        if not steps:
            raise CriticError(NO_STEPS)
        parts = [part + self.separator for part in (question, *steps)]
        texts = ["".join(parts[: end + 1]) for end in range(1, len(parts))]
        prefixes = [encode(text, with_special=self.with_special) for text in texts]
        ids = prefixes[-1]
        for number, prefix in enumerate(prefixes[:-1], 2):
            if ids[: len(prefix)] != prefix:
                raise CriticError(
                    f"step {number} begins with characters that the tokenizer joins to the separator before it, so "
                    "that the steps can't be read in one pass; strip the steps, or tokenise pieces apart"
                )
        return texts[-1], ids, tuple(len(prefix) - 1 for prefix in prefixes)
