"""Values of LaTeX, Unicode and plain expressions, by a small parser that can do nothing but arithmetic.

`evaluate` reads one expression by recursive descent and computes it as it goes (`values`), with the variables it is
given. Understood: numbers with thousands separators, + - * / ^ and their LaTeX and Unicode forms, implicit products,
fractions, mixed numbers, roots, degrees, percent, factorials, pi, absolute values, the usual functions. Length,
nesting and digits are bounded before anything is computed. Nothing is executed; what isn't understood raises
`NotAnExpression`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from vpbench.grade.values import arithmetic
from vpbench.grade.values.arithmetic import Value, ValueTooLarge

MAX_CHARACTERS = 400
MAX_TOKENS = 200
MAX_DEPTH = 30
MAX_NUMBER_DIGITS = 400

_TOKEN = re.compile(
    r"\s+|(?P<number>\d{1,3}(?:(?:,|\{,\})\d{3})+(?![\d])(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"|(?P<command>\\[a-zA-Z]+)|(?P<word>arcsin|arccos|arctan|sqrt|sin|cos|tan|log|ln|exp|pi)(?![a-z])"
    r"|(?P<letter>[a-zA-Zα-ωΑ-ΩπθΔ](?:_(?:\{\w{1,4}\}|\w))?)|(?P<sign>\*\*|[-+*/^_(){}\[\]|!%°√∛π²³⁴·×÷⋅∙⁄⌊⌋⌈⌉])"
)
_SKIPPED = {"\\left", "\\right", "\\displaystyle", "\\limits", "\\big", "\\Big", "\\bigl", "\\bigr"}
_ALIASES = {
    "\\cdot": "*",
    "\\times": "*",
    "×": "*",
    "·": "*",
    "⋅": "*",
    "∙": "*",
    "**": "^",
    "\\div": "/",
    "÷": "/",
    "⁄": "/",
    "\\dfrac": "\\frac",
    "\\tfrac": "\\frac",
    "\\cfrac": "\\frac",
    "\\nicefrac": "\\frac",
    "\\sfrac": "\\frac",
    "\\flatfrac": "\\frac",
    "\\lfloor": "⌊",
    "\\rfloor": "⌋",
    "\\lceil": "⌈",
    "\\rceil": "⌉",
    "√": "\\sqrt",
    "sqrt": "\\sqrt",
    "\\pi": "pi",
    "π": "pi",
    "\\circ": "°",
    "\\degree": "°",
    "\\lvert": "|",
    "\\rvert": "|",
    "\\vert": "|",
    "\\lbrace": "(",
    "\\rbrace": ")",
}
_FUNCTIONS = {"sin", "cos", "tan", "ln", "log", "exp", "arcsin", "arccos", "arctan"}
_GREEK_NAMES = "alpha beta gamma delta theta lambda mu omega phi varphi rho sigma tau"
_GREEK = frozenset(_GREEK_NAMES.split())
_OVER = re.compile(r"\{([^{}]{1,60})\\over(?![A-Za-z])([^{}]{1,60})\}|\A([^{}]{1,60})\\over(?![A-Za-z])([^{}]{1,60})\Z")
_MIXED_PLAIN = re.compile(r"(?<![\d./^])(\d{1,9})[ ]+(\d{1,9})[ ]*/[ ]*(\d{1,9})(?![\d.])")
_MIXED_LATEX = re.compile(r"(?<![\d./^}])(\d{1,9})[ ]*\\[dtc]?frac(?:\{(\d{1,9})\}\{(\d{1,9})\}|(\d)(\d))")


class NotAnExpression(ValueError):
    """The text isn't an expression this parser knows, or is beyond its bounds."""


def tokenize(text: str) -> list[str]:
    """The tokens of `text`, aliases resolved. Raises `NotAnExpression` for anything unknown or too long."""
    if len(text) > MAX_CHARACTERS:
        raise NotAnExpression("too long")
    if "\\over" in text:
        text = _OVER.sub(_as_frac, text)
    text = _MIXED_LATEX.sub(_mixed, _MIXED_PLAIN.sub(_mixed, text))
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotAnExpression(f"unknown sign {text[at]!r}")
        at = match.end()
        token = match.group().strip()
        if token and token not in _SKIPPED:
            if match.lastgroup == "number" and len(token) > MAX_NUMBER_DIGITS:
                raise NotAnExpression("too many digits")
            tokens.append(_ALIASES.get(token, token))
    if len(tokens) > MAX_TOKENS:
        raise NotAnExpression("too long")
    return tokens


def _as_frac(match: re.Match[str]) -> str:
    top, bottom = (part for part in match.groups() if part is not None)
    return rf"\frac{{{top}}}{{{bottom}}}"


def _mixed(match: re.Match[str]) -> str:
    """A whole number followed by a proper fraction is their sum."""
    whole, top, bottom = (part for part in match.groups() if part is not None)
    if int(top) < int(bottom):
        return f"({whole}+{top}/{bottom})"
    return match.group()


def variables(tokens: list[str]) -> tuple[str, ...]:
    """The names of the variables among tokens, sorted."""
    names = {token for token in tokens if _is_variable(token)}
    return tuple(sorted(names))


def _is_variable(token: str) -> bool:
    if token[0] == "\\":
        return token[1:] in _GREEK
    return token[0].isalpha() and token not in _FUNCTIONS and token not in {"pi", "e"}


def evaluate(tokens: list[str], given: Mapping[str, Value]) -> Value:
    """The value of tokens. Raises `NotAnExpression`, also where a bound is met or the value isn't a real number."""
    reader = _Reader(tokens, given)
    try:
        value = reader.sum(0)
    except (ArithmeticError, ValueTooLarge, ValueError, OverflowError, TypeError, KeyError) as error:
        raise NotAnExpression(str(error)) from error
    if reader.at != len(tokens):
        raise NotAnExpression("something left over")
    return value


class _Reader:
    """Recursive descent over tokens; every method takes the nesting depth and returns a value."""

    def __init__(self, tokens: list[str], given: Mapping[str, Value]) -> None:
        self.tokens = list(tokens)
        self.given = given
        self.at = 0
        self.degrees = False

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token: str) -> bool:
        if self.peek() == token:
            self.at += 1
            return True
        return False

    def sum(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise NotAnExpression("nested too deeply")
        value = self.product(depth)
        while self.peek() in {"+", "-"}:
            negative = self.tokens[self.at] == "-"
            self.at += 1
            term = self.product(depth)
            value = arithmetic.add(value, -term if negative else term)
        return value

    def product(self, depth: int) -> Value:
        value = self.signed(depth)
        while True:
            token = self.peek()
            if token == "*":
                self.at += 1
                value = arithmetic.multiply(value, self.signed(depth))
            elif token == "/":
                self.at += 1
                value = arithmetic.divide(value, self.signed(depth))
            elif self.starts_factor(token):
                value = arithmetic.multiply(value, self.power(depth))
            else:
                return value

    def starts_factor(self, token: str) -> bool:
        """Whether `token` begins a factor of an implicit product; a number does only after a closed group."""
        if not token or token in "+-)]}|!%°²³⁴^⌋⌉":
            return False
        return not token[0].isdigit() or self.tokens[self.at - 1] in {")", "}"}

    def signed(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise NotAnExpression("nested too deeply")
        if self.take("-"):
            return -self.signed(depth + 1)
        if self.take("+"):
            return self.signed(depth + 1)
        return self.power(depth)

    def power(self, depth: int) -> Value:
        value = self.atom(depth)
        while True:
            token = self.peek()
            if token == "^":
                self.at += 1
                if self.peek() == "°" or self.tokens[self.at : self.at + 3] == ["{", "°", "}"]:
                    self.at += 1 if self.peek() == "°" else 3
                    self.degrees = True
                else:
                    value = arithmetic.power(value, self.argument(depth + 1, signed=True))
            elif token in {"²", "³", "⁴"}:
                self.at += 1
                value = arithmetic.power(value, Fraction("²³⁴".index(token) + 2))
            elif token == "!":
                self.at += 1
                value = arithmetic.factorial(value)
            elif token in {"%", "°"}:
                self.at += 1
                self.degrees = self.degrees or token == "°"
            else:
                return value

    def argument(self, depth: int, *, signed: bool = False, digit: bool = False) -> Value:
        """What a command or ^ applies to: a group, or one token (one digit for \\frac12)."""
        if signed and self.take("-"):
            return -self.argument(depth)
        if self.take("{"):
            value = self.sum(depth + 1)
            self.close("}")
            return value
        token = self.peek()
        if digit and token.isdigit() and len(token) > 1:
            self.tokens[self.at] = token[1:]
            return Fraction(token[0])
        return self.atom(depth)

    def close(self, token: str) -> None:
        if not self.take(token):
            raise NotAnExpression(f"no closing {token}")

    def atom(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise NotAnExpression("nested too deeply")
        token = self.peek()
        self.at += 1
        if not token:
            raise NotAnExpression("incomplete")
        if token[0].isdigit() or token[0] == ".":
            return Fraction(token.replace("{,}", "").replace(",", ""))
        if token in {"(", "{", "[", "|"}:
            value = self.sum(depth + 1)
            self.close({"(": ")", "{": "}", "[": "]", "|": "|"}[token])
            return abs(value) if token == "|" else value
        if token in {"⌊", "⌈"}:
            value = self.sum(depth + 1)
            self.close("⌋" if token == "⌊" else "⌉")
            return arithmetic.floor(value) if token == "⌊" else -arithmetic.floor(-value)
        if token in self.given:
            return self.given[token]
        if token in {"pi", "e"}:
            return arithmetic.constant(token)
        return self.command(token, depth + 1)

    def command(self, token: str, depth: int) -> Value:
        if token == "\\frac":
            top = self.argument(depth, digit=True)
            return arithmetic.divide(top, self.argument(depth, digit=True))
        if token in {"\\sqrt", "∛"}:
            index = Fraction(3 if token == "∛" else 2)
            if token == "\\sqrt" and self.peek() == "[":
                self.at += 1
                index = self.sum(depth)
                self.close("]")
            return arithmetic.power(self.argument(depth), arithmetic.divide(Fraction(1), index))
        if token == "\\binom":
            return arithmetic.binomial(self.argument(depth), self.argument(depth))
        name = token.lstrip("\\")
        if name in _FUNCTIONS:
            self.degrees = False
            base = self.argument(depth) if name == "log" and self.take("_") else None
            exponent = self.argument(depth, signed=True) if self.take("^") else Fraction(1)
            if exponent == -1 and name in {"sin", "cos", "tan"}:
                name, exponent = "arc" + name, Fraction(1)
            argument = self.power(depth)
            if self.degrees:
                argument = arithmetic.divide(arithmetic.multiply(argument, arithmetic.constant("pi")), Fraction(180))
            value = arithmetic.function(name, argument)
            if base is not None:
                value = arithmetic.divide(value, arithmetic.function("log", base))
            return arithmetic.power(value, exponent)
        raise NotAnExpression(f"unknown name {token}")
