"""Exact values: rational numbers as fractions, all others to forty digits.

Answers are compared as values, not as strings. Rational arithmetic stays exact (so 1/3 differs from 0.333), roots, pi
and functions are computed to forty digits with mpmath and come back as a fraction where they are one (the square root
of 4 is 2). Every operation is bounded: a value that would need more than a few thousand digits raises
`ValueTooLarge`, so that a tower of powers costs nothing.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Value = Any
"""A `Fraction`, or an mpmath real number. (mpmath is untyped and imported only where it is needed.)"""

DIGITS = 40
MAX_BITS = 10_000
_SNAP_DENOMINATOR = 10_000
_EQUAL = 1e-25
"""Relative distance up to which values that aren't both rational are equal; far above the error of DIGITS digits."""
_APART = 1e-9
"""Relative distance beyond which floating-point numbers tell that two values differ; far above their error."""


class ValueTooLarge(ArithmeticError):
    """The value, or a step on the way to it, is beyond the bounds of grading."""


@cache
def _mpmath() -> Any:
    """An arithmetic context of our own with DIGITS digits, so that nobody else's settings change a value."""
    context = import_module("mpmath.ctx_mp").MPContext()
    context.dps = DIGITS
    return context


def bounded(value: Value) -> Value:
    """`value` itself. Raises `ValueTooLarge` beyond MAX_BITS, for infinities and for what isn't a real number."""
    if isinstance(value, Fraction):
        if value.numerator.bit_length() + value.denominator.bit_length() > MAX_BITS:
            raise ValueTooLarge("too many digits")
        return value
    mpmath = _mpmath()
    if not isinstance(value, mpmath.mpf) or not mpmath.isfinite(value) or abs(value.exp + value.bc) > MAX_BITS:
        raise ValueTooLarge("not a finite real number")
    return _snapped(value)


def _snapped(value: Value) -> Value:
    """The fraction with a small denominator that `value` is to about thirty digits, else `value`."""
    if abs(value) > 1e12:
        return value
    nearest = _convergent(float(value))
    return nearest if nearest is not None and abs(value - real(nearest)) < 1e-30 * max(1, abs(value)) else value


def _convergent(value: float) -> Fraction | None:
    """The fraction that `value` is to floating-point precision, None beyond _SNAP_DENOMINATOR."""
    whole = math.floor(value)
    top, above, bottom, below = whole, 1, 1, 0
    rest = value - whole
    while abs(top / bottom - value) > 8 * math.ulp(value):
        term = math.floor(1 / rest) if rest else _SNAP_DENOMINATOR + 1
        top, above, bottom, below = term * top + above, top, term * bottom + below, bottom
        if bottom > _SNAP_DENOMINATOR:
            return None
        rest = 1 / rest - term
    return Fraction(top, bottom)


def real(value: Value) -> Value:
    """`value` as an mpmath number of DIGITS digits."""
    return _mpmath().mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def add(left: Value, right: Value) -> Value:
    """Sum."""
    exact = isinstance(left, Fraction) and isinstance(right, Fraction)
    return bounded(left + right if exact else real(left) + real(right))


def multiply(left: Value, right: Value) -> Value:
    """Product."""
    exact = isinstance(left, Fraction) and isinstance(right, Fraction)
    return bounded(left * right if exact else real(left) * real(right))


def divide(left: Value, right: Value) -> Value:
    """Quotient. Raises ZeroDivisionError."""
    exact = isinstance(left, Fraction) and isinstance(right, Fraction)
    return bounded(left / right if exact else real(left) / real(right))


def power(base: Value, exponent: Value) -> Value:
    """`base` to `exponent`; real results only. Raises `ValueTooLarge`, ZeroDivisionError."""
    if abs(exponent) > MAX_BITS:
        raise ValueTooLarge("exponent")
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        bits = base.numerator.bit_length() + base.denominator.bit_length()
        if bits * abs(exponent) > 2 * MAX_BITS:
            raise ValueTooLarge("power")
        return bounded(base**exponent.numerator)
    # An odd root of a negative number is real: (-8)^(1/3) is -2, where the principal value would be complex.
    if base < 0 and isinstance(exponent, Fraction) and exponent.denominator % 2:
        odd = exponent.numerator % 2 == 1
        size = power(-base, exponent)
        return -size if odd else size
    return bounded(real(base) ** real(exponent))


def function(name: str, argument: Value) -> Value:
    """sin, cos, tan (radians), ln, log (base 10), exp, asin, acos, atan, abs of `argument`. Raises ValueError."""
    if abs(argument) > MAX_BITS:
        raise ValueTooLarge("argument")
    mpmath = _mpmath()
    table: dict[str, Callable[[Any], Any]] = {
        "sin": mpmath.sin,
        "cos": mpmath.cos,
        "tan": mpmath.tan,
        "ln": mpmath.log,
        "log": mpmath.log10,
        "exp": mpmath.exp,
        "arcsin": mpmath.asin,
        "arccos": mpmath.acos,
        "arctan": mpmath.atan,
        "abs": abs,
    }
    return bounded(table[name](real(argument)))


def floor(argument: Value) -> Value:
    """The largest whole number up to `argument`."""
    return Fraction(math.floor(argument) if isinstance(argument, Fraction) else int(_mpmath().floor(argument)))


def factorial(argument: Value) -> Value:
    """Factorial of a whole number up to 300. Raises `ValueTooLarge`."""
    if not isinstance(argument, Fraction) or argument.denominator != 1 or not 0 <= argument <= 300:
        raise ValueTooLarge("factorial")
    return Fraction(math.factorial(int(argument)))


def binomial(count: Value, chosen: Value) -> Value:
    """Ways to choose `chosen` of `count`, whole numbers up to 300. Raises `ValueTooLarge`."""
    for number in (count, chosen):
        if not isinstance(number, Fraction) or number.denominator != 1 or not 0 <= number <= 300:
            raise ValueTooLarge("binomial")
    return Fraction(math.comb(int(count), int(chosen)))


def constant(name: str) -> Value:
    """pi or e."""
    mpmath = _mpmath()
    return +(mpmath.pi if name == "pi" else mpmath.e)


def _far_apart(left: Value, right: Value, distance: float) -> bool:
    """Whether two values differ by clearly more than `distance`, as floating-point numbers already tell."""
    # Nearly all pairs end here, many times faster than by numbers of forty digits.
    try:
        first, second = float(left), float(right)
    except OverflowError:
        return False
    return abs(first - second) > distance * (1 + _APART) + _APART * (1 + abs(first))


def same(left: Value, right: Value) -> bool:
    """Whether two values are equal: exactly where both are rational, else to about 25 digits."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left == right
    if _far_apart(left, right, 0.0):
        return False
    return bool(abs(real(left) - real(right)) <= _EQUAL * max(1, abs(real(left))))


def close(left: Value, right: Value, distance: Fraction) -> bool:
    """Whether two values differ by at most `distance`."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return abs(left - right) <= distance
    if _far_apart(left, right, float(distance)):
        return False
    return bool(abs(real(left) - real(right)) <= real(distance))


def rounded(value: Value, decimals: int) -> Fraction:
    """`value` rounded to `decimals` decimals, halves away from zero."""
    scale = 10**decimals
    exact = value if isinstance(value, Fraction) else Fraction(int(real(value) * 10**DIGITS), 10**DIGITS)
    size = (2 * abs(exact) * scale + 1) // 2
    return Fraction(int(size) if exact >= 0 else -int(size), scale)


def canonical(value: Value) -> str:
    """The one way a value is written in an answer class: 5, 2.5, 1/3, or 20 digits of an irrational number."""
    if not isinstance(value, Fraction):
        return str(_mpmath().nstr(value, 20))
    if value.denominator == 1:
        return _digits(value.numerator)
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0 and rest > 1:
            rest //= prime
    if rest == 1 and value.denominator <= 10**12:
        decimals = 1
        while (value * 10**decimals).denominator != 1:
            decimals += 1
        whole, part = divmod(abs(value.numerator) * 10**decimals // value.denominator, 10**decimals)
        return f"{'-' if value < 0 else ''}{_digits(whole)}.{part:0{decimals}d}"
    return f"{_digits(value.numerator)}/{_digits(value.denominator)}"


def _digits(number: int) -> str:
    """Decimal digits; hexadecimal beyond the length Python converts quickly."""
    return str(number) if number.bit_length() <= 4_000 else hex(number)
