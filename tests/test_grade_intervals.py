"""Intervals and inequalities in each other's dress (cases by hand)."""

from __future__ import annotations

import pytest

from vpbench.grade.values.forms import form_of
from vpbench.grade.values.intervals import like_gold


@pytest.mark.parametrize(
    ("text", "gold", "written"),
    [
        ("(-2,5]", "-2<x<=5", "-2 < x ≤ 5"),
        ("\\left[0,\\infty\\right)", "y\\ge 0", "0 ≤ y"),
        ("(-∞, 3)", "t<3", "t < 3"),
        ("x\\in(-2,5]", "-2<x<=5", "-2 < x ≤ 5"),
        ("-2<x\\le 5", "(-2,5]", "(-2, 5]"),
        ("5 \\ge t > 1", "(1,5]", "(1, 5]"),
        ("3>x", "(-\\infty,3)", "(-∞, 3)"),
        ("x \\in (1,2]", "(1,2]", "(1,2]"),
    ],
)
def test_written_like_the_gold_answer(text: str, gold: str, written: str) -> None:
    assert like_gold(text, gold) == written
    assert form_of(written) is not None or "∞" in written


@pytest.mark.parametrize(
    ("text", "gold"),
    [
        ("x=3", "(1,3)"),
        ("(1,2)\\cup(3,4)", "x<4"),
        ("(1,2)", "1<x<y<3"),
        ("(1,2)", "x+y<3"),
        ("1<x>0", "(0,1)"),
        ("2x<4", "(-\\infty,2)"),
        ("(" * 60 + ",", "x<3"),
        ("(1," + "2" * 500 + "]", "x<3"),
        ("", "(1,2)"),
    ],
)
def test_what_stays_as_it_is(text: str, gold: str) -> None:
    assert like_gold(text, gold) == text
