"""What a policy is asked: the question, to be reasoned out step by step, and an answer line that graders read.

Blank lines between steps are what step-scoring critics split at; the last line states the answer in the form that the
question's kind calls for. A task that needs other words overrides `Task.prompt`.
"""

from __future__ import annotations

from typing import Literal

from vpbench.records import Question

PromptStyle = Literal["chain-of-thought", "question"]

_REASON = (
    "Solve this step by step: look at the image, write each step of your reasoning as a short paragraph of its own and "
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


def chain_of_thought(question: Question) -> str:
    """The question with the request to reason in steps and to end with an answer line."""
    ending = f"Finish with a separate last line of the form\nAnswer: X\nwhere X is {_form(question)}."
    return f"{question.text}\n\n{_REASON} {ending}"


def _form(question: Question) -> str:
    if question.answer_type != "labels" and (question.choices or "choice" in question.answer_type):
        return _LETTER
    form = _FORMS.get(question.answer_type, _OPEN)
    if question.answer_type == "float" and question.precision:
        form += f" with {question.precision} decimal{'s' * (question.precision != 1)}"
    return f"{form}, in {question.unit}" if question.unit else form
