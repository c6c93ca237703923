r"""LaTeX text cut into the tokens that official graders' grammar has, one at a time.

Commands are found by their longest known name, not up to the next non-letter, so `\pir` is `\pi` and a letter; digit
groups after commas belong to a number, so `10,2000` is 10200 and 0; a few bare words (`tr`, `norm`, `matrix`, ...) are
tokens of their own. Letters have no token: nothing with a letter in it has a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER, WORD, END, FOREIGN = "0", "word", "", "?"
"""Names of the tokens that aren't named by their own text; FOREIGN is a letter or anything unknown."""

TRIGONOMETRIC = ("\\sin", "\\cos", "\\tan", "\\sinh", "\\cosh", "\\tanh")
INVERSE = {f"\\{prefix}{name[1:]}": name for name in TRIGONOMETRIC for prefix in ("arc", "ar")}
del INVERSE["\\arsin"], INVERSE["\\arcos"], INVERSE["\\artan"]
FUNCTIONS = (*TRIGONOMETRIC, *INVERSE, "\\exp", "\\log", "\\floor")
TIMES = ("*", "\\times", "\\cdot")
OVER = ("/", ":", "\\div", "\\over")
CHOOSE_COMMANDS = ("\\binom", "\\tbinom", "\\dbinom")
CLOSING = {
    **{"(": ")", "{": "}", "[": "]", "\\{": "\\}", "\\lbrace": "\\rbrace", "\\lbrack": "\\rbrack"},
    **{"\\lgroup": "\\rgroup", "\\lfloor": "\\rfloor", "\\llcorner": "\\lrcorner"},
}

_OTHERS = ("\\pi", "\\tau", "\\frac", "\\sqrt", "\\left", "\\right", "\\choose", "\\\\")
_COMMANDS = {*FUNCTIONS, *TIMES, *OVER, *CHOOSE_COMMANDS, *CLOSING, *CLOSING.values(), *_OTHERS}
_LONGEST_FIRST = sorted((command for command in _COMMANDS if command[0] == "\\"), key=len, reverse=True)
_WORDS = (
    r"\\end\{[pb]?matrix\}|\\to|eigen(?:val(?:ue)?|vect(?:or)?)s|eigen|eig|eye|ar?c?(?:sin|cos|tan)h|gcd|lcm|floor|ceil"
    r"|zeros|ones|cols|rows|diagonalize|diag|norm|rank|trace|tr|rref|[hv]stack|orth(?:o(?:gonal(?:ize)?)?)?|nullspace|svd"
    r"|[pbv]?matrix"
)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]*(?:,[0-9]{3})*\.[0-9]+|[0-9]+(?:,[0-9]{3})*)(?:\\%)?)"
    rf"|(?P<word>{_WORDS})"
    rf"|(?P<literal>{'|'.join(map(re.escape, _LONGEST_FIRST))}|[-+*/(){{}}\[\]^_:.&!'e])"
    r"|(?P<end>\Z))"
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its name, the position after it, and a number's value."""

    name: str
    end: int
    value: int | float = 0


def token_at(text: str, position: int) -> Token:
    """The token at `position`, blanks passed over. Raises ValueError for a number of too many digits for Python."""
    match = _TOKEN.match(text, position)
    if match is None:
        return Token(FOREIGN, position)
    if match["number"] is not None:
        return Token(NUMBER, match.end(), _value(match["number"]))
    name = WORD if match["word"] else match["literal"] or END
    return Token(name, match.end())


def _value(text: str) -> int | float:
    """An integer stays one, `2.0` and `200\\%` too; other decimals become the nearest float."""
    whole, _, decimals = text.removesuffix("\\%").replace(",", "").partition(".")
    numerator = int(whole + decimals)
    denominator: int = 10 ** (len(decimals) + 2 * text.endswith("%"))
    return numerator // denominator if numerator % denominator == 0 else numerator / denominator
