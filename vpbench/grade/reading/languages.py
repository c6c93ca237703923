"""Replies in other languages: what leads in an answer, chooses, rejects and refuses, said in English.

The rest of the reader knows English phrases only. `in_english` puts them in the place of those of the table
`phrases.toml` ("所以选择 B" is "The answer is B"); the answer stays as it is written. So every rule of the reader
holds in every language of the table, and a language is data. A script tells Chinese, Japanese and Korean; a text in
Latin letters is taken for German, French or Spanish if it has that language's word for the answer, or several of its
most common words, and no "the".

In the table `answer` (what the answer is called) with a `link` ("is"), or `chosen` ("I choose") before a label, then
`fillers` ("option"), stand before an answer. `called` ("is the right answer") stands after an answer, `right` and
`wrong` after labels, `rejected` ("not") before them. `question` begins another question, `endings` end a sentence and
say nothing. `hints` and `common` tell a language by pieces of words, and by words.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("phrases.toml")
MAX_CHARACTERS = 20_000
SHORTEST_CHARACTERS = 8
_OWN_SCRIPT = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_SCRIPTS = {
    "Korean": re.compile(r"[\uac00-\ud7a3]"),
    "Japanese": re.compile(r"[\u3040-\u30ff]"),
    "Chinese": re.compile(r"[\u3400-\u9fff]"),
}
"""In the order in which they tell a language: Japanese writes Chinese characters, too."""
_BLANK = re.compile(r"\[[^\]]*\]| ")
_BOLD = r"[ \t]*(?:\*\*|__|\")?[ \t]*"
_LABEL = r"\(?\[?(?-i:[A-J])(?![\w'])\]?\)?"
_LABELS = rf"{_LABEL}(?:{_BOLD}(?:,|/|&|、|和|与|與|及|以及|と|과|와|und|et|y|oder|ou|o)*[ \t]*{_BOLD}{_LABEL}){{0,5}}"
_NUMBER = r"-?\d[\d.,/]*"
_CLAUSE = r"(?:(?<=[.,;:!?\n] )|(?<=[\n,;:])|\A)"
_CLAUSE_END = r"(?=[ \t]*(?:[.,;:!?\n)]|\*\*|\Z))"


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def _any(phrases: list[str]) -> str:
    """A pattern of all phrases, the longest first; never matches without any."""
    ordered = sorted(phrases, key=len, reverse=True)
    return "(?:" + ("|".join(_BLANK.sub(_blanks, phrase) for phrase in ordered) or r"(?!)") + ")"


def _blanks(match: re.Match[str]) -> str:
    return r"[ \t]+" if match.group() == " " else match.group()


@lru_cache(maxsize=8)
def _phrases(name: str) -> re.Pattern[str]:
    """The phrases of a language, each form of `_SAID` a group."""
    row = _table()[name]
    part = {key: _any(row.get(key, [])) for key in _KEYS}
    # Between words of Latin letters there are borders, between characters there are none.
    start, end = (r"(?<![\w'])", r"(?!\w)") if name not in _SCRIPTS else ("", "")
    fill = rf"(?:[ \t]*{_BOLD}{start}{part['fillers']}{end}[ \t]*:?)*{_BOLD}"
    exact = rf"(?:{_LABEL}|{_NUMBER})"
    words = rf"{_CLAUSE}(?!{part['therefore']})[^\s.,;:!?()\[\]]{{1,12}}(?:[ \t][^\s.,;:!?()\[\]]{{1,12}}){{0,3}}?"
    called = rf"{_BOLD}[ \t]*{part['called']}{end}"
    wrong = rf"{_BOLD}[ \t]*{part['wrong']}{end}"
    forms = {
        "question": rf"(?<=\n)[#*\s]*{part['question']}{_BOLD}(?=:)",
        "none": f"{start}{part['none_fits']}{end}",
        "unknown": f"{start}{part['unknown']}{end}",
        "wrong": rf"(?P<denied>{_LABELS}){wrong}",
        "right": rf"(?P<label>{_LABEL}){_BOLD}[ \t]*{part['right']}{end}",
        "answer": (
            rf"(?:\[[ \t]*{part['answer']}[ \t]*\](?:[ \t]*:)?|"
            rf"{start}{part['answer']}(?:{_BOLD}[ \t]*{part['link']}{end}"
            rf"{_BOLD}:?|{_BOLD}[ \t]*[:=]|{_BOLD}(?=\n+[ \t]*\S{{1,20}}\s*\Z)|(?=[ \t]*{_BOLD}{_LABEL})))"
            rf"(?:[ \t]*{_BOLD}:)?{fill}"
        ),
        "called": rf"(?P<subject>{exact}){called}|(?P<words>{words}){called}{_CLAUSE_END}",
        "inverted": rf"{start}{part['link']}{end}[ \t]*{part['answer']}{end}{_BOLD}:?{fill}" if start else r"(?!)",
        "chosen": rf"{start}{part['chosen']}{end}{fill}(?={_LABELS}(?!{wrong}))",
        "concluded": rf"{start}{part['therefore']}{end}[ \t]*[,:]?{fill}(?={_LABEL}{_BOLD}(?:[.!\n]|\Z))",
        "rejected": rf"{start}{part['rejected']}{end}{fill}{_LABELS}",
        "or": rf"(?<=[A-J\d)\]*\"] ){part['or']}{end}(?={_BOLD}(?:{_LABEL}|{_NUMBER}))",
        "therefore": rf"{start or _CLAUSE}{part['therefore']}{end}",
        "because": rf"{start}{part['because']}{end}",
        "condition": rf"{start}{part['condition']}{end}",
        "ending": rf"(?<=\S){part['endings']}{_CLAUSE_END}",
    }
    alternatives = "|".join(f"(?P<{form}>{pattern})" for form, pattern in forms.items())
    return re.compile(alternatives, re.IGNORECASE)


@lru_cache(maxsize=8)
def _answering(name: str) -> tuple[tuple[bool, re.Pattern[str]], ...]:
    """What a text begins with that says no in a language, and yes."""
    row = _table()[name]
    before, end = rf"\W*(?:{_any(row['therefore'])}[ \t,:]*)?", r"(?=[ \t]*(?:[.,;:!)\n*\"]|\Z))"
    words = ((False, row["no"]), (True, row["yes"]))
    return tuple((says, re.compile(before + _any(phrases) + end, re.IGNORECASE)) for says, phrases in words)


_KEYS = (
    *("answer", "link", "chosen", "fillers", "called", "right", "wrong", "rejected", "therefore", "because"),
    *("condition", "unknown", "none_fits", "question", "endings", "or"),
)
_SAID = {
    "question": "\nQuestion",
    "none": " none of the options ",
    "unknown": " cannot be determined ",
    "answer": " The answer is ",
    "inverted": " The answer is ",
    "chosen": " The answer is ",
    "concluded": " The answer is ",
    "rejected": " not this ",
    "or": " or ",
    "therefore": " therefore ",
    "because": " because ",
    "condition": " if ",
    "ending": "",
}


def _say(match: re.Match[str]) -> str:
    form = next(name for name in (*_SAID, "wrong", "called", "right") if match[name] is not None)
    if form == "wrong":
        return f" {', '.join(re.findall('[A-J]', match['denied']))} is incorrect "
    if form in {"called", "right"}:
        return f" The answer is {match['subject'] or match['words'] or match['label']} "
    return _SAID[form]


def language_of(text: str) -> str | None:
    """The language of the table that `text` is in, None for English and all others."""
    text = text[:MAX_CHARACTERS]
    if not text.isascii() and _OWN_SCRIPT.search(text):
        return next(name for name, script in _SCRIPTS.items() if script.search(text))
    if " the " in text or len(text) < SHORTEST_CHARACTERS:
        return None
    for name, hints, common in _latin_marks():
        for hint in hints:
            if hint in text:
                return name
        if sum(map(text.count, common)) >= 3:
            return name
    return None


@lru_cache(maxsize=1)
def _latin_marks() -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    rows = {name: row for name, row in _table().items() if name not in _SCRIPTS}
    return tuple((name, tuple(row["hints"]), tuple(row["common"])) for name, row in rows.items())


def in_english(text: str) -> str:
    """`text` with English phrases for those of its language; `text` itself if that is English or isn't in the table."""
    name = language_of(text)
    return text if name is None else _phrases(name).sub(_say, text)


@lru_cache(maxsize=1)
def words_for(word: str) -> frozenset[str]:
    """The words for "yes" or "no" of all languages."""
    return frozenset(phrase for row in _table().values() for phrase in row.get(word, ()))


def leading_yes_or_no(text: str) -> bool | None:
    """True for a text that begins with yes in a language of the table, False for no, None for anything else."""
    text = text[:200]
    own_script = not text.isascii() and _OWN_SCRIPT.search(text) is not None
    for name in _table():
        if (name in _SCRIPTS) != own_script:
            continue
        for says, pattern in _answering(name):
            if pattern.match(text):
                return says
    return None
