"""Steps, chat text and read-out positions; origin of the rules: the released scorer (see the module's docstring)."""

from __future__ import annotations

import pytest

from vpbench.errors import CriticError
from vpbench.models.conversation import find_readouts, mark_images, place_images, render
from vpbench.scoring import split_steps


@pytest.mark.parametrize(
    ("response", "limit", "steps"),
    [
        ("a\n\nb", 12, ("a", "b")),
        ("", 12, ("",)),
        ("a\n\n\nb", 12, ("a", "\nb")),
        ("a\n\n\n\nb", 12, ("a", "", "b")),
        ("a\n\n", 12, ("a", "")),
        ("a\r\n\r\nb", 12, ("a\r\n\r\nb",)),
        (" a \n\n b ", 12, (" a ", " b ")),
        ("a\n\nb\n\nc", 1, ("a\n\nb\n\nc",)),
        ("a\n\nb\n\nc", 2, ("a\n\nb", "c")),
        ("\n\n\n\nc", 2, ("\n\n", "c")),
        ("a\n\nb\n\nc", None, ("a", "b", "c")),
    ],
)
def test_split_steps(response: str, limit: int | None, steps: tuple[str, ...]) -> None:
    assert split_steps(response, limit) == steps


@pytest.mark.parametrize(
    ("parts", "limit", "count"), [(12, 12, 12), (13, 12, 7), (24, 12, 12), (25, 12, 9), (30, 12, 10)]
)
def test_merging_is_even_and_loses_nothing(parts: int, limit: int, count: int) -> None:
    response = "\n\n".join(str(i) for i in range(parts))
    steps = split_steps(response, limit)
    assert len(steps) == count
    assert "\n\n".join(steps) == response


def test_no_limit_below_one() -> None:
    with pytest.raises(CriticError, match="at least 1"):
        split_steps("a", 0)


def test_render() -> None:
    assert render("S", "Q", ["one", "two"]) == (
        "<|im_start|>system\nS<|im_end|>\n"
        "<|im_start|>user\n### Question:\nQ\n\n### Solution Process:\none<|im_end|>\n"
        "<|im_start|>assistant\n+<|im_end|>\n"
        "<|im_start|>user\ntwo<|im_end|>\n"
        "<|im_start|>assistant\n+<|im_end|>\n"
    )


def test_an_empty_later_step_loses_its_separator_and_still_counts() -> None:
    text = render("", "Q", ["", "", " "])
    assert text.startswith("<|im_start|>system\n<|im_end|>\n")
    assert "### Solution Process:\n<|im_end|>\n<|im_start|>assistant" in text
    assert text.count("<|im_start|>user\n<|im_start|>assistant\n+<|im_end|>\n") == 1
    assert text.endswith("<|im_start|>user\n <|im_end|>\n<|im_start|>assistant\n+<|im_end|>\n")


def test_render_needs_a_step() -> None:
    with pytest.raises(CriticError, match="no steps"):
        render("S", "Q", [])


@pytest.mark.parametrize(
    ("question", "images", "marked"),
    [
        ("Q", 0, "Q"),
        ("Q <image>", 0, "Q <image>"),
        ("Q", 2, "<image>\n<image>\nQ"),
        ("see <image> Q", 1, "see <image> Q"),
        ("see <image 1> and <image1>", 1, "<image>\nsee <image 1> and <image1>"),
    ],
)
def test_mark_images(question: str, images: int, marked: str) -> None:
    assert mark_images(question, images) == marked


def test_another_number_of_markers_is_refused() -> None:
    with pytest.raises(CriticError, match="2 markers <image> but has 1 images"):
        mark_images("<image> or <image>", 1)


def test_markers_are_replaced_first_come_first_served() -> None:
    text = place_images("s <image> q <image> step <image>", [1, 2], tokens_per_tile=1)
    assert text == "s <img><IMG_CONTEXT></img> q <img><IMG_CONTEXT><IMG_CONTEXT></img> step <image>"


def test_find_readouts() -> None:
    #      0  1  2  3  4  5  6  7  8  9 10
    ids = [9, 1, 2, 3, 4, 1, 2, 5, 1, 2, 3]
    assert find_readouts(ids, [1, 2, 3], role_length=2) == (2, 9)
    assert find_readouts(ids, [1, 2, 3], role_length=1) == (1, 8)
    assert find_readouts([1, 2], [1, 2, 3], role_length=2) == ()
