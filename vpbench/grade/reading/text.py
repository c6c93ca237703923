"""A response made readable: markup tokens, odd characters, thoughts and struck-out text removed.

What a policy writes may hold end-of-text tokens, full-width or invisible characters, or a part for thoughts.
`readable` gives what a person would read, bounded in length: of a very long response only its beginning and its end
are kept, which is where answers stand. All steps are linear in the length of the response.
"""

from __future__ import annotations

import re
from functools import lru_cache

from vpbench.grade.reading.languages import in_english
from vpbench.grade.reading.thoughts import without_thoughts

HEAD_CHARACTERS = 4_000
TAIL_CHARACTERS = 12_000

_SPECIAL_TOKEN = re.compile(r"</?s>|<\|[a-zA-Z_]{1,30}\|>|<(?:pad|unk|eos|end_of_turn|0x0A)>|\[/?INST\]")
_STRUCK_OUT = re.compile(
    r"~~[^~\n]{1,200}~~|<del>[^<\n]{1,200}</del>|\\(?:cancel|sout|st)\{[^{}\n]{1,200}\}", re.IGNORECASE
)
_SENTENCE_END = re.compile(
    r"\s(?:(?<=[.!?]\"\s)(?=[A-Z])|(?<=[.!?;]\s)(?<!\b[A-Z]\.\s)(?<!Fig\.\s)(?<!fig\.\s)(?<!vs\.\s)(?<!e\.g\.\s)(?<!i\.e\.\s)\s*|(?<=\n)\n*)"
)
_ODD_CHARACTER = re.compile(r"[^\n\x20-\x7e]")
_TERMINAL_ESCAPE = re.compile(r"\x1b\[[0-9;?]{0,20}[ -/]?[@-~]")
_BORDER = re.compile(
    r"(?<=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3])"
)
"""Between a word of ours and one of a script without blanks."""
_SUPERSCRIPT = re.compile("[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_SUPERSCRIPT_DIGITS = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_CONDITION = re.compile(
    r"\A\W{0,3}(?:(?:so|therefore|thus|hence|(?:based on|according to|in|on|from|for) [^,\n]{3,80}),?\s+)?"
    r"(?:if|when|since|because|given|assuming|suppose|as|once|out of|after\s+\w{2,20}ing)\b[^,\n]{3,200},\s*"
    r"(?:then\s+)?",
    re.IGNORECASE,
)
_REASON_WORD = re.compile(r"\s(?:if|because|since|given|as)\b", re.IGNORECASE)
_REASON = re.compile(r",?\s+(?:if|because|since|given that)\b.*$|,\s+as\b.*$", re.IGNORECASE | re.DOTALL)

_STOP_WORDS = (
    "the a an is are was were do does did be been it its this that these those there of in on at to for by as and "
    "or than with has have had can will would could shown image figure picture graph chart what which how many"
)
STOP = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[a-z0-9']+")


@lru_cache(maxsize=1)
def _character_table() -> dict[int, str | None]:
    """Full-width forms to ASCII, dashes and quotes to plain ones; invisible and control characters and lone
    surrogates are dropped (bidirectional marks could otherwise make a text read differently than it is graded)."""
    table: dict[int, str | None] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    table.update(dict.fromkeys([*range(0x20), 0x7F, *range(0x80, 0xA0)], None))
    table.update(dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF], None))
    table.update(dict.fromkeys(range(0xD800, 0xE000), None))
    table.update(
        {ord(old): new for old, new in zip("−‐‑‒–“”‘’′　\u00a0\u2009\u202f\t", "-----\"\"'''     ", strict=True)}
    )
    table.update({ord(old): new + " " for old, new in zip("！，？：；", "!,?:;", strict=True)})
    table.update({ord(old): new for old, new in zip("【】〔〕「」『』《》", '[][]""""""', strict=True)})
    table.update({ord("—"): " - ", ord("。"): ". ", ord("．"): ".", ord("、"): ", ", ord("\n"): "\n", ord("\r"): "\n"})
    fractions = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅙": "1/6", "⅛": "1/8"}
    table.update({ord(sign): " " + text for sign, text in fractions.items()})
    return table


def plain_characters(text: str) -> str:
    """`text` with the character table applied."""
    if _ODD_CHARACTER.search(text) is None:
        return text
    text = _TERMINAL_ESCAPE.sub("", text).translate(_character_table())
    return text if text.isascii() else _BORDER.sub(" ", _SUPERSCRIPT.sub(_as_power, text))


def _as_power(match: re.Match[str]) -> str:
    return "^{" + match.group().translate(_SUPERSCRIPT_DIGITS) + "}"


def readable(response: str) -> str:
    """What a person would read of `response`, at most HEAD_CHARACTERS + TAIL_CHARACTERS long."""
    # Cut before any pattern runs over it; once cleaned it is cut again, to what is really read.
    text = response if len(response) <= 400_000 else response[:200_000] + "\n" + response[-200_000:]
    text = plain_characters(text)
    text = without_thoughts(text)
    if "<" in text or "[" in text:
        text = _SPECIAL_TOKEN.sub("\n", text)
    if "~~" in text or "<del" in text or "\\cancel" in text or "\\sout" in text:
        text = _STRUCK_OUT.sub(" ", text)
    text = in_english(text).strip()
    if len(text) > HEAD_CHARACTERS + TAIL_CHARACTERS:
        text = text[:HEAD_CHARACTERS] + "\n" + text[-TAIL_CHARACTERS:]
    return text


@lru_cache(maxsize=64)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences and lines of `text`, in order, blank ones left out. Decimal points and initials don't end one."""
    return tuple(part for part in map(str.strip, _SENTENCE_END.split(text)) if part)


def main_clause(sentence: str) -> str:
    """`sentence` without the condition or reason it begins or ends with ("if ...,", "..., because ...")."""
    kept = _CONDITION.sub("", sentence, count=1)
    if _REASON_WORD.search(kept):
        kept = _REASON.sub("", kept)
    kept = kept.strip()
    return kept or sentence


@lru_cache(maxsize=8_192)
def words_of(text: str) -> frozenset[str]:
    """The words of `text` in lower case."""
    return frozenset(_WORD.findall(text.lower()))


@lru_cache(maxsize=8_192)
def content_stems(text: str) -> frozenset[str]:
    """The first five letters of the words of `text` that carry meaning, to compare two texts by."""
    return frozenset(word[:5].rstrip("s") for word in words_of(text) - STOP if len(word) > 1 or word.isdigit())
