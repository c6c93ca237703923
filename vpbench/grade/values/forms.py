"""What an open answer is, and its values: number, tuple or set, formula, equation, inequality.

Formulas are known by their values at four fixed points per variable; two different formulas that agree there to
25 digits don't occur in practice. An equation is its left side minus its right side up to a common factor, so its
sides may be exchanged; an inequality likewise up to a positive factor, with its sign. Equations with several signs are
a chain: all sides count, unless a name is said to be a computation that ends in a value. Of a name and a value
("x = 4") the value is the form.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from zlib import crc32

from vpbench.grade.values import expressions
from vpbench.grade.values.arithmetic import Value, canonical, divide, real, same
from vpbench.grade.values.expressions import NotAnExpression
from vpbench.grade.values.numbers import trimmed, value_of, without_markup
from vpbench.grade.values.relations import (
    ORDER_SIGNS,
    PROSE,
    is_name,
    plain_signs,
    split_relation,
    value_sides,
)
from vpbench.grade.values.shapes import beyond_named, shape_of
from vpbench.grade.values.words import in_digits

Form = tuple[str, tuple[Value, ...]]
"""Kind and values: "number", "set:()" of a tuple, "system:x,y" of named values, "expr:x", "equation:x,y" ..."""

# Positive and above 1, so that roots and logarithms of a variable have values there.
_POINTS = (Fraction(7, 5), Fraction(19, 8), Fraction(31, 11), Fraction(43, 13))
_SPREAD = 9973
_BRACKETED_LIST = re.compile(r"\\?([(\[{])(.+)\\?([)\]}])", re.DOTALL)
_SIDES = re.compile(r"\\(?:left|right)(?![A-Za-z])|\\[,;!]|\\[()\[\]](?!\[)")
_MATRIX = re.compile(
    r"[(\[]?\s*\\begin\{(?P<kind>[pbB]?matrix\*?|smallmatrix"
    r"|array)\}(?:\s*\{[lcr| ]*\})?(?P<cells>.*)\\end\{(?P=kind)\}\s*[)\]]?",
    re.DOTALL,
)
MAX_SENTENCE_CHARACTERS = 300
_MATH_AT_END = re.compile(r"[^$\\]*(?:\$|\\\()([^$]+?)(?:\$|\\\))[\s.*]*")
_COPULA = re.compile(r"\b(?:is|are)\b|:\s")
_APPROXIMATE = re.compile(r"≈|≒|≃|\\approx\b|\\simeq\b|\\equiv\b")


@lru_cache(maxsize=8_192)
def form_of(text: str) -> Form | None:
    """The form of `text`, None for words and whatever else has none."""
    if "\\begin" in text and (matrix := _matrix(_SIDES.sub("", text).strip(" .$\n"))) is not None:
        return matrix
    plain = re.sub(r"\\left(?![A-Za-z])|\\right(?![A-Za-z])", "", without_markup(text))
    plain = in_digits(trimmed(plain, " .")).replace("\\{", "{").replace("\\}", "}")
    shape = shape_of(plain)
    if shape is not None:
        return shape
    plain = beyond_named(plain)
    plain = plain_signs(plain).rpartition("⇒")[2].strip()
    signs, sides = split_relation(plain)
    if any(sign in ORDER_SIGNS for sign in signs):
        return _inequality(signs, sides)
    if not signs or _APPROXIMATE.search(plain):
        return _value_or_formula(plain, plain)
    if len(signs) > 1 and (system := _system(plain)) is not None:
        return system
    kept = value_sides(sides)
    if not kept:
        return None
    if len(kept) == 1:
        return _value_or_formula(kept[0], kept[0])
    named = any(is_name(side) for side in sides if side)
    ending = value_of(kept[-1])
    if ending is not None and (named or not any(map(_names_in, kept[:-1]))):
        return "number", (ending,)
    return _chain(kept) if named or len(kept) > 2 else full_equation(plain)


def formula_at_end(sentence: str) -> str | None:
    """The only formula of `sentence`, at its end: between math signs, or what follows its "is", "are" or colon."""
    if len(sentence) > MAX_SENTENCE_CHARACTERS or PROSE.search(sentence) is None:
        return None
    match = _MATH_AT_END.fullmatch(sentence)
    formulas = [match[1]] if match else _COPULA.split(sentence)[1:]
    return formulas[0] if len(formulas) == 1 and form_of(formulas[0]) is not None else None


def _value_or_formula(text: str, plain: str) -> Form | None:
    value = value_of(text)
    if value is not None:
        return "number", (value,)
    listed = _BRACKETED_LIST.fullmatch(plain)
    parts = re.split(r"[,;](?!\d{3}(?!\d))|\band\b", listed[2] if listed else plain)
    if len(parts) > 1 and "=" not in plain:
        members = [member for part in parts if (member := value_of(part)) is not None]
        if len(members) == len([part for part in parts if part.strip()]):
            kind = listed[1] + listed[3] if listed else "()"
            ordered = sorted(members, key=real) if kind == "{}" else members
            return f"set:{kind}", tuple(ordered)
    return _formula(plain)


def _matrix(text: str) -> Form | None:
    """A matrix, whatever brackets it stands in: its rows and columns, and its cells; a column of numbers is a tuple."""
    match = _MATRIX.fullmatch(text)
    if match is None:
        return None
    rows = [row.split("&") for row in re.split(r"\\\\(?:\[\w+\])?", match["cells"]) if row.strip(" \n")]
    cells = [form_of(cell.strip()) for row in rows for cell in row]
    if any(cell is None for cell in cells) or len({len(row) for row in rows}) != 1:
        return None
    if len(rows[0]) == 1 and all(cell is not None and cell[0] == "number" for cell in cells):
        return "set:()", tuple(cell[1][0] for cell in cells if cell is not None)
    return f"matrix {len(rows)}x{len(rows[0])}:" + "; ".join(class_of(cell) for cell in cells if cell is not None), ()


def _system(text: str) -> Form | None:
    """Several named values, "x = 3, y = 4" or "x = 3 or x = 4": names and values, sorted."""
    named: list[tuple[str, Value]] = []
    for part in re.split(r"[,;](?!\d{3}(?!\d))|\b(?:and|or)\b", text):
        name, equals, given = part.strip().partition("=")
        value = value_of(given)
        if not equals or "=" in given or not is_name(name.strip()) or value is None:
            return None
        named.append((name.strip(), value))
    named.sort(key=lambda pair: (pair[0], real(pair[1])))
    return f"system:{','.join(name for name, _ in named)}", tuple(value for _, value in named)


def full_equation(text: str) -> Form | None:
    """The equation `text` with both its sides; None unless it has exactly one sign."""
    signs, sides = split_relation(text.strip(" ."))
    if signs != "=" or not all(sides):
        return None
    form = _formula(f"({sides[0]})-({sides[1]})")
    scaled = None if form is None else _scaled(form[1], signed=True)
    return None if form is None or scaled is None else ("equation" + form[0][4:], scaled)


def _chain(sides: list[str]) -> Form | None:
    """Several sides: one formula if they are all equal, else all of them."""
    forms = [_formula(side) for side in sides]
    understood = [form for form in forms if form is not None]
    if len(understood) < len(forms):
        return None
    if all(form[0] == understood[0][0] and all(map(same, form[1], understood[0][1])) for form in understood):
        return understood[0]
    names = ";".join(form[0][5:] for form in understood)
    return f"chain:{names}", tuple(value for form in understood for value in form[1])


def _inequality(signs: str, sides: list[str]) -> Form | None:
    """ "a < b" or "a < b ≤ c", smaller side first, each pair's difference up to a positive factor."""
    if set(signs) <= set(">≥"):
        signs, sides = signs[::-1].translate(str.maketrans(">≥", "<≤")), sides[::-1]
    if not set(signs) <= set("<≤") or len(signs) > 2 or not all(sides):
        return None
    names: list[str] = []
    values: list[Value] = []
    for small, large in pairwise(sides):
        form = _formula(f"({large})-({small})")
        scaled = None if form is None else _scaled(form[1], signed=False)
        if form is None or scaled is None:
            return None
        names.append(form[0][5:])
        values += scaled
    return f"inequality{signs}:{';'.join(names)}", tuple(values)


def _scaled(values: tuple[Value, ...], *, signed: bool) -> tuple[Value, ...] | None:
    """`values` divided by the first that isn't 0, or by its size."""
    try:
        scale = next(value for value in values if value != 0)
        return tuple(divide(value, scale if signed else abs(scale)) for value in values)
    except (StopIteration, ArithmeticError):
        return None


def _names_in(text: str) -> bool:
    """Whether `text` is a formula with variables, or nothing this parser knows."""
    try:
        return bool(expressions.variables(expressions.tokenize(text)))
    except NotAnExpression:
        return True


def _formula(text: str) -> Form | None:
    if PROSE.search(text) or "=" in text:
        return None
    try:
        tokens = expressions.tokenize(text)
        names = expressions.variables(tokens)
        if not names or (len(tokens) > 1 and not re.search(r"\d|[-+*/^=\\]", text)):
            return None
        points = [{name: _at(name, point) for name in names} for point in _POINTS]
        return f"expr:{','.join(names)}", tuple(expressions.evaluate(tokens, given) for given in points)
    except NotAnExpression:
        return None


def _at(name: str, point: Fraction) -> Fraction:
    """The value of a variable at a point: a checksum's fraction above it, so that no two variables move alike."""
    return point + Fraction(crc32(f"{name} {point}".encode()) % _SPREAD, _SPREAD)


def class_of(form: Form) -> str:
    """The answer class of a form."""
    kind, members = form
    if not members:
        return kind
    if kind == "number":
        return f"number:{canonical(members[0])}"
    if kind.startswith("set:"):
        return f"set:{kind[4]}{', '.join(canonical(member) for member in members)}{kind[5]}"
    if kind.startswith("system:"):
        return f"{kind} = {', '.join(canonical(member) for member in members)}"
    if not kind.startswith("expr"):
        kind = f"expr:{kind}"
    return f"{kind} at fixed points {'; '.join(canonical(member) for member in members)}"


def equal_forms(form: Form, gold: Form) -> bool:
    """Whether two forms are of one kind and have the same values."""
    return form[0] == gold[0] and len(form[1]) == len(gold[1]) and all(map(same, form[1], gold[1]))
