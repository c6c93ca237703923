r"""The number a LaTeX expression stands for, or none, computed without executing anything.

Official graders compare `\frac{1}{2}` with `0.5` by handing both to the package latex2sympy2 and running the Python
text that comes back. `latex_value` gives what that gives, by a small recursive-descent parser that computes as it
reads. It keeps the habits of that grammar, because verdicts depend on them: an implicit product binds tighter than a
division (`6/2(3)` is 1) and makes `1 1/2` a half; `^` takes one number or a braced expression and groups to the left;
`10,2000` is 10200 times 0; what follows a complete expression is ignored if no expression can begin with it (`8)` is
8); letters, `\ln`, `|3|` and a lone `e` have no value. Integers stay integers and a division makes a float, as in
Python, since graders compare the printed forms too. Left out, hence without value: comparisons, `\gcd`, `\lcm`, and
`x=3`, whose outcome there depends on what was read before.

Text is bounded in length and nesting and integers in size, so hostile input costs microseconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache

MAX_CHARACTERS = 2_000
MAX_DEPTH = 40
MAX_INTEGER_BITS = 14_000
MAX_FACTORIAL = 1_000

_SPACES = re.compile(r"\\displaystyle|\\q?quad|\\,|[~$\s]")
_ARRANGEMENTS = re.compile(r"\(([a-z0-9+\-*/\\ ]+?)\)_\{([a-z0-9+\-*/\\ ]+?)\}", re.IGNORECASE)
_NUMBER = r"(?P<number>(?:[0-9]*(?:,[0-9]{3})*\.[0-9]+|[0-9]+(?:,[0-9]{3})*)(?P<percent>\\%)?)"

_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "\\" + name: getattr(math, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp")
}
_FUNCTIONS |= {"\\arc" + name: getattr(math, "a" + name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}
_FUNCTIONS |= {"\\ar" + name: getattr(math, "a" + name) for name in ("sinh", "cosh", "tanh")}
_FUNCTIONS |= {"\\log": math.log10, "\\floor": math.floor}
_INVERSES = {name: _FUNCTIONS["\\arc" + name[1:]] for name in ("\\sin", "\\cos", "\\tan", "\\sinh", "\\cosh", "\\tanh")}
_CONSTANTS = {"\\pi": math.pi, "\\tau": math.tau}
_TIMES = ("*", "\\times", "\\cdot")
_OVER = ("/", ":", "\\div", "\\over")
_CLOSING = {
    **{"(": ")", "{": "}", "[": "]", "\\{": "\\}", "\\lbrace": "\\rbrace", "\\lbrack": "\\rbrack"},
    **{"\\lgroup": "\\rgroup", "\\lfloor": "\\rfloor", "\\llcorner": "\\lrcorner"},
}
_OTHER_COMMANDS = ("\\frac", "\\sqrt", "\\left", "\\right", "\\binom", "\\tbinom", "\\dbinom", "\\choose", "\\\\")
_COMMANDS = sorted(
    {*_FUNCTIONS, *_CONSTANTS, *_TIMES, *_OVER, *_CLOSING, *_CLOSING.values(), *_OTHER_COMMANDS}, key=len, reverse=True
)
_WORD = (
    r"(?P<word>\\end\{[pb]?matrix\}|\\to|eigen(?:val(?:ue)?|vect(?:or)?)s|eigen|eig|eye|ar?c?(?:sin|cos|tan)h|gcd|lcm|floor"
    r"|ceil|zeros|ones|cols|rows|diagonalize|diag|norm|rank|trace|tr|rref|[hv]stack|orth(?:o(?:gonal(?:ize)?)?)?|nullspace"
    r"|svd|[pbv]?matrix)"
)
_NAMES = "|".join(re.escape(each) for each in _COMMANDS if each[0] == "\\")
_TOKEN = re.compile(f"{_NUMBER}|{_WORD}|(?P<other>{_NAMES}|[-+*/(){{}}\\[\\]^_:.&!'e])")
_AFTER_END = {"", ")", "}", "]", "\\}", "\\rbrace", "\\rbrack", "\\rgroup", "\\rfloor", "\\lrcorner", "\\right"}
_AFTER_END |= {"_", "^", ".", "&", "\\\\", "\\choose", "word"}
_NO_VALUE = "?"


class _NoValue(Exception):
    """The text has no value."""


@lru_cache(maxsize=50_000)
def latex_value(text: str) -> int | float | None:
    """The value of `text`, unrounded; None if it has none within the bounds."""
    if len(text) > MAX_CHARACTERS:
        return None
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    text = _ARRANGEMENTS.sub(r"\\frac{(\1)!}{((\1)-(\2))!}", text)
    text = _SPACES.sub(" ", text)
    try:
        parser = _Parser(text)
        value = parser.sum()
        if parser.token not in _AFTER_END:
            return None
    except (_NoValue, ArithmeticError, ValueError, TypeError):
        return None
    return value if value == value else None


class _Parser:
    """One pass over the text; each method reads one construct and returns its value."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.token, self.number = "", 0.0
        self.advance()

    def advance(self) -> None:
        """Read the next token.

        `token` is "0" for a number (then in `number`), "word" for a function's bare name, "" at the end, and
        `_NO_VALUE` for a letter or anything foreign.
        """
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            self.token = _NO_VALUE if self.at < len(self.text) else ""
            return
        self.at = found.end()
        self.token = found["other"] or "word"
        if found["number"] is not None:
            self.token, self.number = "0", _number(found["number"], found["percent"] is not None)

    def expect(self, token: str) -> None:
        """Pass over `token`."""
        if self.token != token:
            raise _NoValue
        self.advance()

    def sum(self) -> int | float:
        """Terms joined by + and -."""
        value = self.product()
        while self.token in ("+", "-"):
            sign = 1 if self.token == "+" else -1
            self.advance()
            value = _bounded(value + sign * self.product())
        return value

    def product(self, functions: bool = True) -> int | float:
        """Factors joined by times and over; without `functions`, the argument of an unbracketed function."""
        value = self.signed(functions)
        while self.token in _TIMES or self.token in _OVER:
            divide = self.token in _OVER
            self.advance()
            factor = self.signed(functions)
            value = value / factor if divide else _times(value, factor)
        return value

    def signed(self, functions: bool) -> int | float:
        """An implicit product with its signs."""
        sign = 1
        while self.token in ("+", "-"):
            sign = -sign if self.token == "-" else sign
            self.advance()
        value = self.postfix()
        while self.starts_factor(functions):
            value = _times(value, self.postfix())
        return sign * value

    def starts_factor(self, functions: bool) -> bool:
        """Whether an implicit product goes on."""
        if self.token in ("e", "\\sqrt") or self.token in _FUNCTIONS:
            return functions
        return self.token in ("0", "\\left", "\\frac", "\\binom", "\\tbinom", "\\dbinom") or (
            self.token in _CLOSING or self.token in _CONSTANTS
        )

    def postfix(self) -> int | float:
        """A power with factorial signs; a prime changes nothing."""
        value = self.primary()
        while self.token == "^":
            self.advance()
            value = _power(value, self.exponent())
        while self.token in ("!", "'"):
            if self.token == "!":
                value = _factorial(value)
            self.advance()
        return value

    def exponent(self) -> int | float:
        """What stands after ^ : a number, a constant or a braced expression."""
        if self.token == "{":
            return self.bracketed()
        if self.token == "0" or self.token in _CONSTANTS:
            return self.primary()
        raise _NoValue

    def primary(self) -> int | float:
        """A number, constant, group, fraction, root, binomial or function call."""
        token = self.token
        if token == "0":
            value = self.number
            self.advance()
            return value
        if token in _CONSTANTS:
            self.advance()
            return _CONSTANTS[token]
        if token in _CLOSING or token == "\\left":
            return self.bracketed()
        if token == "e" or token in _FUNCTIONS:
            return self.call()
        self.advance()
        if token == "\\frac":
            return self.braced() / self.braced()
        if token == "\\sqrt":
            return self.root()
        if token in ("\\binom", "\\tbinom", "\\dbinom"):
            return _binomial(self.braced(), self.braced())
        raise _NoValue

    def braced(self) -> int | float:
        """An expression in braces."""
        if self.token != "{":
            raise _NoValue
        return self.bracketed()

    def bracketed(self) -> int | float:
        r"""An expression in brackets of any kind, with or without \left and \right."""
        self.depth += 1
        left = self.token == "\\left"
        if left:
            self.advance()
        opening = self.token
        if self.depth > MAX_DEPTH or opening not in _CLOSING:
            raise _NoValue
        self.advance()
        value = self.sum()
        if opening == "{" and self.token == "\\choose" and not left:
            self.advance()
            value = _binomial(value, self.sum())
        if left:
            self.expect("\\right")
        self.expect(_CLOSING[opening])
        self.depth -= 1
        return math.floor(value) if opening in ("\\lfloor", "\\llcorner") else value

    def root(self) -> int | float:
        r"""What stands after \sqrt."""
        degree: int | float = 2
        if self.token == "[":
            degree = self.bracketed()
        return _power(self.braced(), 1 / degree)

    def call(self) -> int | float:
        """A function with base, power and argument; `e` with its power."""
        name = self.token
        self.advance()
        base = self.subscript() if name == "\\log" and self.token == "_" else None
        power: int | float | None = None
        if self.token == "^":
            self.advance()
            power = self.exponent()
        if name == "e":
            return _exponential(1 if power is None else power)
        if self.depth > MAX_DEPTH:
            raise _NoValue
        self.depth += 1
        argument = self.bracketed() if self.token in ("(", "\\left") else self.product(functions=False)
        self.depth -= 1
        if power == -1 and name in _INVERSES:
            return _INVERSES[name](argument)
        if name == "\\exp":
            value = _exponential(argument)
        elif name == "\\log":
            value = math.log(argument, 10 if base is None else base)
        else:
            value = _FUNCTIONS[name](argument)
        return _power(value, power) if power else value

    def subscript(self) -> int | float:
        r"""The base after \log_ ."""
        self.advance()
        return self.exponent()


def _number(text: str, percent: bool) -> int | float:
    digits = text.removesuffix("\\%").replace(",", "")
    whole, _, decimals = digits.partition(".")
    numerator, denominator = int(whole + decimals or "0"), 10 ** len(decimals) * (100 if percent else 1)
    return numerator // denominator if numerator % denominator == 0 else numerator / denominator


def _bounded(value: int | float) -> int | float:
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise _NoValue
    return value


def _times(left: int | float, right: int | float) -> int | float:
    return _bounded(left * right)


def _power(base: int | float, exponent: int | float) -> int | float:
    if exponent == 0.5:
        return math.sqrt(base)
    if exponent == -1:
        return 1 / base
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > MAX_INTEGER_BITS:
        raise _NoValue
    value = base**exponent
    if isinstance(value, complex):
        raise _NoValue
    return _bounded(value)


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
