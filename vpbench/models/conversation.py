"""The scoring conversation: a solution written as a chat with one user turn per step.

A process reward model of the InternVL family judges a solution in one chat. The first user turn holds the question
and the first step, every later user turn holds one step, and every assistant turn is already filled with the label
`+`; the model's opinion of a step is what it would have said in that step's assistant turn. This module writes that
chat as text and finds the places to read, for the chat template `internvl2_5`; it knows nothing of models or tokens'
meanings. The behaviour is that of the released scorer, quirks included (protocol: arXiv 2503.10291 and its code).
"""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.errors import CriticError

TEMPLATE = "internvl2_5"
SYSTEM_ROLE = "<|im_start|>system\n"
USER_ROLE = "<|im_start|>user\n"
ASSISTANT_ROLE = "<|im_start|>assistant\n"
END_OF_TURN = "<|im_end|>"
SEPARATOR = END_OF_TURN + "\n"
LABEL_PLACEHOLDER = "+"
LABEL_TURN = ASSISTANT_ROLE + LABEL_PLACEHOLDER + SEPARATOR

IMAGE_MARKER = "<image>"
IMAGE_START, IMAGE_CONTEXT, IMAGE_END = "<img>", "<IMG_CONTEXT>", "</img>"
SPECIAL_TOKENS = ("<|im_start|>", END_OF_TURN, IMAGE_START, IMAGE_CONTEXT, IMAGE_END)


def mark_images(question: str, images: int, gap: str = "\n") -> str:
    """The question with one `<image>` marker per image: its own, or else put in front, each with `gap` behind it.

    Without images the question stays as it is. Raises `CriticError` where it has some markers but another number.
    """
    if not images:
        return question
    markers = question.count(IMAGE_MARKER)
    if not markers:
        return f"{IMAGE_MARKER}{gap}" * images + question
    if markers != images:
        raise CriticError(
            f"the question holds {markers} markers {IMAGE_MARKER} but has {images} images; give one marker per image, "
            "or none"
        )
    return question


def render(system_message: str, question: str, steps: Sequence[str]) -> str:
    """The whole chat as text, image markers not yet replaced. Raises `CriticError` without steps.

    A user turn with empty text is written as its role alone, without a separator; only later steps can be empty, the
    first one shares its turn with the question.
    """
    if not steps:
        raise CriticError("no steps: a solution without steps can't be scored; give at least one")
    first = f"### Question:\n{question}\n\n### Solution Process:\n{steps[0]}"
    turns = [USER_ROLE + (turn + SEPARATOR if turn else "") + LABEL_TURN for turn in (first, *steps[1:])]
    return SYSTEM_ROLE + system_message + SEPARATOR + "".join(turns)


def place_images(text: str, tiles_per_image: Sequence[int], tokens_per_tile: int) -> str:
    """The chat with the first `len(tiles_per_image)` markers replaced by image tokens.

    First come first served over the whole text: a marker in the system message takes the image of the question's.
    """
    for tiles in tiles_per_image:
        block = IMAGE_START + IMAGE_CONTEXT * (tokens_per_tile * tiles) + IMAGE_END
        text = text.replace(IMAGE_MARKER, block, 1)
    return text


def find_readouts(ids: Sequence[int], label_turn: Sequence[int], role_length: int) -> tuple[int, ...]:
    """Positions (0-based) of the last token before each label: where `label_turn` occurs in `ids`.

    `label_turn` is the tokenised `LABEL_TURN`, of which the first `role_length` tokens are the role prefix. The
    logits at a read-out position predict the label.
    """
    wanted, length = list(label_turn), len(label_turn)
    starts = (i for i in range(len(ids) - length + 1) if ids[i] == wanted[0] and list(ids[i : i + length]) == wanted)
    return tuple(start + role_length - 1 for start in starts)
