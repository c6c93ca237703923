"""The value of LaTeX text, against what latex2sympy2 1.9.1 and Python gave for it (run once, on SymPy 1.14)."""

from __future__ import annotations

import pytest

from vpbench.grade.values.latex_value import MAX_DEPTH, latex_value

ROUNDED_TO_TWO_DECIMALS = {
    "7": "7",
    "3.5": "3.5",
    "2.0": "2",
    ".5": "0.5",
    "1,000.5": "1000.5",
    "10,2000": "0",
    "3.4.5": "1.7",
    "50\\%": "0.5",
    "$7$": "7",
    "7~8": "56",
    "7\\,000": "0",
    "1/2": "0.5",
    "\\frac{1}{2}": "0.5",
    "\\tfrac{1}{2}": "0.5",
    "{1\\over2}": "0.5",
    "3:4": "0.75",
    "6/2": "3.0",
    "6/2(3)": "1.0",
    "6/2*3": "9.0",
    "2/3/4": "0.17",
    "1 1/2": "0.5",
    "4\\frac{1}{2}": "2.0",
    "2-3+4": "3",
    "3++4": "7",
    "--3": "3",
    "5-2\\sqrt{3}": "1.54",
    "2-(3-4)": "3",
    "2^10": "1024",
    "2^3^2": "64",
    "-2^2": "-4",
    "(-2)^2": "4",
    "2^{-1}": "0.5",
    "4^{\\frac{1}{2}}": "2.0",
    "2^{3}_{4}": "8",
    "0^0": "1",
    "\\sqrt{16}": "4.0",
    "\\sqrt[3]{8}": "2.0",
    "8!": "40320",
    "3!^2": "6",
    "{5\\choose2}": "10",
    "\\binom{5}{2}": "10",
    "(5)_{2}": "20.0",
    "\\pi(3)": "9.42",
    "2\\pi": "6.28",
    "e^2": "7.39",
    "2e^0": "2",
    "\\exp(2)": "7.39",
    "\\sin(2)*3": "2.73",
    "\\sin2*3": "-0.28",
    "\\sin2\\cos3": "-0.9",
    "\\sin^2(3)": "0.02",
    "\\sin^{-1}(0.5)": "0.52",
    "\\log(100)": "2.0",
    "\\log_{2}8": "3.0",
    "\\lfloor3.7\\rfloor": "3",
    "\\left(3\\right)": "3",
    "[3]": "3",
    "\\{3\\}": "3",
    "{3}{4}": "12",
    "8)": "8",
    "8}": "8",
    "8.": "8",
    "8_5": "8",
    "8'": "8",
    "8 &3": "8",
    "8)°": "8",
    "3)4(": "3",
    "2triangles": "2",
    "27normal{cm}": "27",
    "\\frac{3^{1008}-1}{3^{1009}}": "0.33",
}
"""Text to printed value; 3 and 3.0 are different prints."""

_TEXTS_WITHOUT_VALUE = (
    r"a 2a e 2e e^{1} 12cm 72^ 3- 3*/4 (3 (3] () \left(3) 2^-1 \sqrt16 \frac12 \frac{1}2 |3| \lceil3.7\rceil \ln(2) "
    r"3\mod2 \infty 8; 8, 1,2 (1,2) 50% 8° 8\foo 8\text{cm} \sqrt{-1} (-8)^{1/3} 1/0 0^{-1} \frac{1}{2}! \log_28 8= "
    r"3=8 8< \arcsin(2) π"
)
NO_VALUE = ["", *_TEXTS_WITHOUT_VALUE.split()]

BEYOND_THE_BOUNDS = ["9^{9^{9}}", "9^9^9^9^9", "9!!!!", "9" * 5000, "(" * 100 + "1" + ")" * 100, "1+" * 2000 + "1"]


@pytest.mark.parametrize(("text", "printed"), ROUNDED_TO_TWO_DECIMALS.items())
def test_values(text: str, printed: str) -> None:
    value = latex_value(text)
    assert value is not None
    assert str(round(value, 2)) == printed


@pytest.mark.parametrize("text", NO_VALUE + BEYOND_THE_BOUNDS)
def test_text_without_a_value(text: str) -> None:
    assert latex_value(text) is None


def test_nesting_up_to_the_bound() -> None:
    assert latex_value("{" * MAX_DEPTH + "1" + "}" * MAX_DEPTH) == 1


def test_a_negated_quotient_by_a_decimal_has_its_right_value() -> None:
    assert latex_value("8-3/0.5") == 2
