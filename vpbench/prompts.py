"""What a model is asked and what it gives back: conversations, how to sample, samples; and the usual request.

Blank lines between steps are what step-scoring critics split at; the last line of a response states the answer in the
form that the question's kind calls for. A task that needs other words overrides `Task.prompt`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vpbench.records import ImageRef, Question


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; its images come before its text.

    Where the last message is the assistant's, the model continues it: `Generation.text` is what comes after.
    """

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[ImageRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw; temperature 0 is greedy. The defaults are those of the VisualPRM paper (arXiv 2503.10291)."""

    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 4096


@dataclass(frozen=True, slots=True)
class Prompt:
    """`count` samples wanted of one conversation; equal prompts with other seeds give other samples.

    `first_token_logprobs` asks for `Generation.first_token_logprobs`; a backend that can't give them leaves them out.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    count: int = 1
    seed: int = 0
    first_token_logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """One sample. `finish_reason` is "stop" or "length" (None: not told), `tokens` those generated.

    `first_token_logprobs` maps the likeliest first tokens' texts to their natural log-probabilities, where the backend
    gives them. `error` is why there is no text (it is empty then).
    """

    text: str
    finish_reason: str | None = None
    tokens: int | None = None
    first_token_logprobs: Mapping[str, float] | None = None
    error: str | None = None


PromptStyle = Literal["chain-of-thought", "question"]

_LOOK = "look at the image, "
_REASON = (
    "Solve this step by step: {look}write each step of your reasoning as a short paragraph of its own and "
    "leave a blank line between paragraphs."
)
_FORMS = {
    "labels": "the label of the right option, or all labels with commas between them if several are right",
    "integer": "one whole number",
    "float": "one number in decimal notation",
    "list": "a list in square brackets",
}
_LETTER = "the letter of the right option"
_OPEN = "the answer alone, as short as it can be put"


def chain_of_thought(question: Question, answer_line: str = "Answer: X") -> str:
    """The question with the request to reason in steps and to end with `answer_line`, X being the answer."""
    reason = _REASON.format(look=_LOOK if question.images else "")
    ending = f"Finish with a separate last line of the form\n{answer_line}\nwhere X is {_form(question)}."
    return f"{question.text}\n\n{reason} {ending}"


def _form(question: Question) -> str:
    if question.answer_type != "labels" and (question.choices or "choice" in question.answer_type):
        return _LETTER
    form = _FORMS.get(question.answer_type, _OPEN)
    if question.answer_type == "float" and question.precision:
        form += f" with {question.precision} decimal{'s' * (question.precision != 1)}"
    return f"{form}, in {question.unit}" if question.unit else form
