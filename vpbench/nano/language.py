r"""The tiny models' words: a word-level tokenizer whose vocabulary is what the miniature world can say.

A text is cut by one regular expression (words with the blank before them, option labels with the digit that follows,
single signs and digits) and nothing is lost: joining the tokens gives the text back. The role prefixes of a chat are
single tokens, so that a step's user and assistant turns cost five tokens. What isn't in the vocabulary becomes `<unk>`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vpbench.models.conversation import ASSISTANT_ROLE, SEPARATOR, SPECIAL_TOKENS, SYSTEM_ROLE, USER_ROLE
from vpbench.nano.architecture import SYSTEM_MESSAGE
from vpbench.nano.families import KINDS

PIECE = (
    r"### Question:\n|\n\n### Solution Process:\n|<image \d>|Answer: |\n\n|\n?\([A-H]\)(?: \d?)?| ?[A-Za-z]+| ?\d|\n|."
)
SPECIAL = ("<pad>", "<unk>", *SPECIAL_TOKENS, SYSTEM_ROLE, USER_ROLE, ASSISTANT_ROLE, SEPARATOR)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""One `<IMG_CONTEXT>` per image, as in InternVL's native template: whoever fills it in writes the whole image block."""


def vocabulary(texts: Iterable[str]) -> list[str]:
    """All tokens in the order of their ids: special ones, the signs of ASCII, and the pieces of `texts`."""
    cut = re.compile(PIECE)
    pieces = {piece for text in texts for piece in cut.findall(text)}
    signs = [chr(code) for code in range(32, 127)] + ["\n"]
    return [*SPECIAL, *signs, *sorted(pieces - set(signs))]


def world_texts(questions: Iterable[str], count: int = 500) -> list[str]:
    """Texts that hold every word of the world: `questions`, and all parts of `count` drawn questions of each kind."""
    rng = random.Random(0)
    drawn = [question for _ in range(count) for draw in KINDS.values() for question in draw(rng)]
    texts = [*questions, SYSTEM_MESSAGE, "### Question:\n", "\n\n### Solution Process:\n", "Answer: ", "\n\n"]
    texts += [f"\n({letter}) {digit}" for letter in "ABCD" for digit in range(10)]
    texts += [f"\n({letter}) ({letter})({letter}) " for letter in "ABCD"]
    return texts + [text for question in drawn for text in (question.text, *question.solution)]


def write_tokenizer(folder: Path, tokens: Sequence[str]) -> None:
    """`tokenizer.json`, its configuration and the chat template."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "eos_token": "<|im_end|>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1024,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def read_ids(folder: Path) -> dict[str, int]:
    """Token to id."""
    content: Any = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return dict(content["model"]["vocab"])


class Words:
    """The same tokenizer for training, which encodes one text at a time much faster than the general library."""

    def __init__(self, ids: dict[str, int]) -> None:
        self.ids = ids
        special = "|".join(re.escape(token) for token in sorted(SPECIAL, key=len, reverse=True))
        self._cut = re.compile(special + "|" + PIECE)

    def encode(self, text: str) -> list[int]:
        """Token ids; a piece that isn't in the vocabulary is `<unk>`."""
        unknown = self.ids["<unk>"]
        return [self.ids.get(piece, unknown) for piece in self._cut.findall(text)]
