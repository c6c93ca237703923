r"""The number a LaTeX expression stands for, or none, computed without executing anything.

Official graders compare `\frac{1}{2}` with `0.5` by handing both to the package latex2sympy2 and running the Python
text that comes back. `latex_value` gives what that gives, by a small recursive-descent parser that computes as it
reads. It keeps the habits of that grammar, because verdicts depend on them: an implicit product binds tighter than a
division (`6/2(3)` is 1) and makes `1 1/2` a half; `^` takes one number or a braced expression and groups to the left;
what follows a complete expression is ignored if no expression can begin with it (`8)` is 8); letters, `\ln`, `|3|` and
a lone `e` have no value. Integers stay integers and a division makes a float, as in Python, since graders compare
printed forms too.

Two things differ on purpose. Comparisons, `\gcd`, `\lcm` and `x=3` (whose outcome there depends on what was read
before) have no value. A negated quotient by a decimal, which is printed there without its brackets (`8-3/0.5` comes out
as 6.5), has its right value. Text is bounded in length and nesting and integers in size, so hostile input costs
milliseconds at most.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from vpbench.grade.values.latex_tokens import (
    CHOOSE_COMMANDS,
    CLOSING,
    END,
    FUNCTIONS,
    INVERSE,
    NUMBER,
    OVER,
    TIMES,
    TRIGONOMETRIC,
    WORD,
    token_at,
)

MAX_CHARACTERS = 2_000
MAX_DEPTH = 40
MAX_INTEGER_BITS = 14_000
MAX_FACTORIAL = 1_000

_SPACES = re.compile(r"\\displaystyle|\\q?quad|\\,|[~$\s]")
_ARRANGEMENTS = re.compile(r"\(([a-z0-9+\-*/\\ ]+?)\)_\{([a-z0-9+\-*/\\ ]+?)\}", re.IGNORECASE)
_CONSTANTS = {"\\pi": math.pi, "\\tau": math.tau}
_MAY_FOLLOW = {END, WORD, *CLOSING.values(), "\\right", "\\choose", "\\\\", "_", "^", ".", "&"}


class _NoValue(Exception):
    """The text has no value."""


@lru_cache(maxsize=50_000)
def latex_value(text: str) -> int | float | None:
    """The value of `text`, unrounded; None if it has none within the bounds."""
    if len(text) > MAX_CHARACTERS:
        return None
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    text = _ARRANGEMENTS.sub(r"\\frac{(\1)!}{((\1)-(\2))!}", text)
    try:
        parser = _Parser(_SPACES.sub(" ", text))
        value = parser.sum()
    except (_NoValue, ArithmeticError, ValueError, TypeError):
        return None
    return value if parser.token in _MAY_FOLLOW and value == value else None


class _Parser:
    """One pass over the text; each method reads one construct and returns its value."""

    def __init__(self, text: str) -> None:
        self.text, self.depth = text, 0
        self.next = token_at(text, 0)

    @property
    def token(self) -> str:
        """Name of the token to be read next."""
        return self.next.name

    def advance(self) -> str:
        """Pass over a token; its name."""
        name = self.next.name
        self.next = token_at(self.text, self.next.end)
        return name

    def expect(self, token: str) -> None:
        """Pass over `token`."""
        if self.advance() != token:
            raise _NoValue

    def sum(self) -> int | float:
        """Terms joined by + and -."""
        value = self.product()
        while self.token in ("+", "-"):
            sign = 1 if self.advance() == "+" else -1
            value = _bounded(value + sign * self.product())
        return value

    def product(self, functions: bool = True) -> int | float:
        """Factors joined by times and over; without `functions`, the argument of an unbracketed function."""
        value = self.signed(functions)
        while self.token in TIMES or self.token in OVER:
            divide = self.advance() in OVER
            factor = self.signed(functions)
            value = value / factor if divide else _bounded(value * factor)
        return value

    def signed(self, functions: bool) -> int | float:
        """An implicit product with its signs."""
        sign = 1
        while self.token in ("+", "-"):
            sign *= 1 if self.advance() == "+" else -1
        value = self.factor()
        while self.starts_factor(functions):
            value = _bounded(value * self.factor())
        return sign * value

    def starts_factor(self, functions: bool) -> bool:
        """Whether an implicit product goes on."""
        if self.token in ("e", "\\sqrt") or self.token in FUNCTIONS:
            return functions
        return self.token in (NUMBER, "\\left", "\\frac", *CHOOSE_COMMANDS, *CLOSING, *_CONSTANTS)

    def factor(self) -> int | float:
        """A power with factorial signs; a prime changes nothing."""
        value = self.primary()
        while self.token == "^":
            self.advance()
            value = _power(value, self.small_argument())
        while self.token in ("!", "'"):
            if self.advance() == "!":
                value = _factorial(value)
        return value

    def small_argument(self) -> int | float:
        """What may stand after ^ and _ : a number, a constant or a braced expression."""
        if self.token not in (NUMBER, "{", *_CONSTANTS):
            raise _NoValue
        return self.primary()

    def primary(self) -> int | float:
        """A number, constant, group, fraction, root, binomial or function call."""
        if self.token in CLOSING or self.token == "\\left":
            return self.bracketed()
        value = self.next.value
        token = self.advance()
        if token == NUMBER:
            return value
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if token == "e" or token in FUNCTIONS:
            return self.call(token)
        if token == "\\frac":
            return self.braced() / self.braced()
        if token == "\\sqrt":
            degree = self.bracketed() if self.token == "[" else 2
            return _power(self.braced(), 1 / degree)
        if token in CHOOSE_COMMANDS:
            return _binomial(self.braced(), self.braced())
        raise _NoValue

    def braced(self) -> int | float:
        """An expression in braces."""
        if self.token != "{":
            raise _NoValue
        return self.bracketed()

    def bracketed(self) -> int | float:
        r"""An expression in brackets of any kind, with or without \left and \right."""
        self.deeper()
        left = self.token == "\\left"
        if left:
            self.advance()
        opening = self.advance()
        if opening not in CLOSING:
            raise _NoValue
        value = self.sum()
        if opening == "{" and self.token == "\\choose":
            self.advance()
            value = _binomial(value, self.sum())
        if left:
            self.expect("\\right")
        self.expect(CLOSING[opening])
        self.depth -= 1
        return math.floor(value) if opening in ("\\lfloor", "\\llcorner") else value

    def call(self, name: str) -> int | float:
        """A function with base, power and argument; `e` with its power."""
        base: int | float = 10
        if name == "\\log" and self.token == "_":
            self.advance()
            base = self.small_argument()
        power: int | float | None = None
        if self.token == "^":
            self.advance()
            power = self.small_argument()
        if name == "e":
            return _exponential(1 if power is None else power)
        self.deeper()
        argument = self.bracketed() if self.token in ("(", "\\left") else self.product(functions=False)
        self.depth -= 1
        if power == -1 and name in TRIGONOMETRIC:
            return _function("\\arc" + name[1:], argument, base)
        value = _function(name, argument, base)
        return _power(value, power) if power else value

    def deeper(self) -> None:
        """One level down. Every cycle of calls comes through here."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _NoValue


def _function(name: str, argument: int | float, base: int | float) -> int | float:
    if name == "\\exp":
        return _exponential(argument)
    if name == "\\log":
        return math.log(argument, base)
    if name == "\\floor":
        return math.floor(argument)
    function = getattr(math, "a" + INVERSE[name][1:] if name in INVERSE else name[1:])
    return float(function(argument))


def _bounded(value: int | float) -> int | float:
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise _NoValue
    return value


def _power(base: int | float, exponent: int | float) -> int | float:
    if exponent == 0.5:
        return math.sqrt(base)
    if exponent == -1:
        return 1 / base
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > MAX_INTEGER_BITS:
        raise _NoValue
    value: int | float | complex = base**exponent
    if isinstance(value, complex):
        raise _NoValue
    return value


def _exponential(exponent: int | float) -> int | float:
    if isinstance(exponent, int) and exponent == 1:
        raise _NoValue
    return 1 if exponent == 0 else math.exp(exponent)


def _factorial(value: int | float) -> int:
    if not isinstance(value, int) or not 0 <= value <= MAX_FACTORIAL:
        raise _NoValue
    return math.factorial(value)


def _binomial(above: int | float, below: int | float) -> int:
    if not isinstance(above, int) or not isinstance(below, int) or not 0 <= below <= above <= MAX_FACTORIAL:
        raise _NoValue
    return math.comb(above, below)
