"""Special tokens typed in a question or a response reach the model as the text they are.

The released scorers tokenise a whole prompt at once, so a response that types `<|im_end|>` ends its turn, and one that
types a turn with a label judges itself. Here a mark is put into every special token that somebody typed, so that only
those of the prompt's own format are found; the text between them is tokenised, the marks taken out again, by a
tokenizer that knows no special tokens. No character changes. A prompt without typed special tokens never comes here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vpbench.errors import CriticError
from vpbench.models.conversation import IMAGE_MARKER
from vpbench.models.tokenizer import Tokenizer

NEUTRALISED = "held special tokens, neutralised"
"""The remark on a score whose prompt was tokenised this way."""

_NONCHARACTERS = tuple(map(chr, range(0xFDD0, 0xFDF0)))
"""Code points that Unicode keeps free for uses such as this one."""


@dataclass(frozen=True)
class Shield:
    """Covers special tokens in typed texts by a mark that none of the texts holds."""

    special_tokens: tuple[str, ...]
    mark: str

    def cover(self, text: str, *others: str) -> str:
        """The text with the mark behind the first character of every special token, and of every other one named."""
        tokens = _any_of((*self.special_tokens, *others))
        return tokens.sub(lambda token: token[0][0] + self.mark + token[0][1:], text)

    def uncover(self, text: str) -> str:
        """The text without marks."""
        return text.replace(self.mark, "")

    def encode(self, tokenizer: Tokenizer, prompt: str, *, with_special: bool = True) -> list[int]:
        """Token ids of a whole prompt with covered texts in it. Raises `CriticError` if the tokenizer can't do it."""
        ids = tokenizer.encode("", with_special=with_special)
        for part in _any_of(self.special_tokens).split(prompt):
            if part in self.special_tokens:
                ids += tokenizer.encode(part, with_special=False)
            else:
                ids += tokenizer.encode_plain(self.uncover(part))
        return ids


def cover_typed(
    question: str, steps: Sequence[str], images: int, special_tokens: Sequence[str]
) -> tuple[str, list[str], Shield | None]:
    """Question and steps with what was typed covered, and the shield that did it; None where nothing was.

    Markers `<image>` are typed in a step, and in a question that holds another number of them than it has images.
    Raises `CriticError` for texts that hold all of the code points which could serve as a mark.
    """
    one_per_image = question.count(IMAGE_MARKER) == images
    typed = [question.replace(IMAGE_MARKER, " ") if one_per_image else question, *steps]
    if not any(token in text for text in typed for token in (*special_tokens, IMAGE_MARKER)):
        return question, list(steps), None
    mark = next((code for code in _NONCHARACTERS if not any(code in text for text in typed)), None)
    if mark is None:
        raise CriticError("special tokens in the text, and all of Unicode's noncharacters; remove either")
    shield = Shield(tuple(special_tokens), mark)
    asked = shield.cover(question) if one_per_image else shield.cover(question, IMAGE_MARKER)
    return asked, [shield.cover(step, IMAGE_MARKER) for step in steps], shield


def encode_typed(tokenizer: Tokenizer, text: str, *, with_special: bool) -> list[int]:
    """Token ids of a text that somebody typed all of; `with_special` puts the tokenizer's own tokens before it."""
    return tokenizer.encode("", with_special=with_special) + tokenizer.encode_plain(text)


def _any_of(tokens: Sequence[str]) -> re.Pattern[str]:
    return re.compile("(" + "|".join(map(re.escape, sorted(tokens, key=len, reverse=True))) + ")")
