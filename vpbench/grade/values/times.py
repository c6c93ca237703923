"""Times of day and dates, however they are written.

"4:30", "4.30 pm", "16:30", "half past four", "a quarter to five", "five o'clock", "noon" are times: equal if they are
the same minute. Where one of two says neither a.m. nor p.m. nor an hour above 12, they are equal if a clock's hands
stand alike. "2020-03-05", "March 5th, 2020", "5 March 2020", "3/5/2020" (the month first, as its slashes have it in
English) and "5.3.2020" are dates: equal with the same day, month and, where the gold answer has one, year.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from vpbench.grade.values.numbers import without_markup
from vpbench.grade.values.words import BELOW_TWENTY

_NUMBERS = [*BELOW_TWENTY, "twenty"]
_VALUES = {word: number for number, word in enumerate(_NUMBERS)} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "half": 30,
    "quarter": 15,
    "a quarter": 15,
    "a half": 30,
}
for _ten in ("twenty", "thirty", "forty", "fifty"):
    for _unit in _NUMBERS[1:10]:
        _VALUES[f"{_ten}-{_unit}"] = _VALUES[_ten] + _VALUES[_unit]
_WORD = "|".join(sorted((word.replace("-", "[- ]") for word in _VALUES), key=len, reverse=True))
_HOUR_WORD = "|".join(_NUMBERS[1:13])
_NOON = r"(?P<noon>noon|midday|midnight)"
_HALF_OF_DAY = (
    r"(?:\s*(?P<half>[ap])\.?\s?m\b\.?|\s+(?:in the (?P<part>morning|afternoon|evening)|(?P<night>at night)))"
)
_DIGITAL = rf"(?P<hour>\d{{1,2}})\s?(?:[:：]|\\colon)\s?(?P<minute>\d{{1,2}})(?![:\d]|\.\d){_HALF_OF_DAY}?"
_POINTED = rf"(?P<phour>\d{{1,2}})\.(?P<pminute>\d\d)(?=\s*[ap]\.?\s?m\b){_HALF_OF_DAY.replace('<', '<p')}"
_RELATIVE = (
    rf"(?P<amount>\d{{1,2}}|{_WORD})(?:[ -]minutes?)?[ -](?P<side>past|after|to|till|before)[ -]"
    rf"(?P<of>\d{{1,2}}|{_HOUR_WORD}|noon|midnight)\b(?:\s*o'?\s?clock)?{_HALF_OF_DAY.replace('<', '<r')}?"
)
_FULL = (
    rf"(?P<full>\d{{1,2}}|{_HOUR_WORD})\s*(?:o'?\s?clock\b{_HALF_OF_DAY.replace('<', '<f')}?|(?=[ap]\.?\s?m\b|in"
    rf" the (?:morning|after|even)){_HALF_OF_DAY.replace('<', '<g')})"
)
_SPOKEN = (
    rf"(?P<said>{_HOUR_WORD})[ -](?P<minutes>thirty|forty|fifty|fifteen|(?:oh )?five|ten|twenty|(?:twenty|thirty"
    rf"|forty|fifty)[- ](?:five|{'|'.join(_NUMBERS[1:10])}))\b{_HALF_OF_DAY.replace('<', '<s')}?"
)
_TIME = re.compile(
    rf"(?<![\w.:/-])(?:{_DIGITAL}|{_POINTED}|{_RELATIVE}|{_FULL}|{_SPOKEN}|{_NOON})(?![\w:])", re.IGNORECASE
)
_GOLD_TIME = re.compile(r"\d{1,2}:\d{2}(?:\s*[ap]\.?\s?m\.?)?|\d{1,2}\s*[ap]\.?\s?m\.?", re.IGNORECASE)
_LOOSE_TIME = re.compile(r"\d{1,2}:\d{1,2}")
_ASKS_TIME = re.compile(r"\b(?:times?|clocks?|watch|o'clock|when|hands?|__:__)\b|__:__", re.IGNORECASE)
_ASKS_RATIO = re.compile(r"\b(?:ratios?|proportions?|scales?|odds|rates?)\b", re.IGNORECASE)

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]}|t)?" if name != "may" else "may" for name in _MONTHS)
_DATE = re.compile(
    r"(?<![\w./-])(?:(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
    r"|(?P<first>\d{1,2})(?P<sign>[-/.])(?P<second>\d{1,2})(?P=sign)(?P<year>\d{4})"
    rf"|(?P<month>{_MONTH})\.?\s+(?:the\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:\s*,?\s+(?P<my>\d{{4}}))?"
    rf"|(?:the\s+)?(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:day\s+)?(?:of\s+)?(?P<month2>{_MONTH})\b\.?(?:\s*,?\s+(?P<dy>\d{{4}}))?"
    r"|(?P<cy>\d{4})年\s*(?P<cm>\d{1,2})月\s*(?P<cd>\d{1,2})[日号]?)(?![\w-])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day: minutes after midnight, and whether the half of the day is said."""

    minutes: int
    sure: bool

    def name(self, *, sure: bool = True) -> str:
        """The time in an answer class; without `sure` the hands of a clock only."""
        minutes = self.minutes if sure and self.sure else self.minutes % 720
        half = ("pm" if minutes >= 720 else "am") if sure and self.sure else ""
        return f"time:{minutes % 720 // 60 or 12}:{minutes % 60:02d}{half}"


@dataclass(frozen=True, slots=True)
class Date:
    """Year (0 where none is said), month and day."""

    year: int
    month: int
    day: int

    def name(self) -> str:
        """The date in an answer class."""
        return f"date:{self.year:04d}-{self.month:02d}-{self.day:02d}"


def same_time(time: Time, gold: Time) -> bool:
    """Whether two times are the same minute, or the same on a clock's face where one leaves the half of day open."""
    if time.sure and gold.sure:
        return time.minutes == gold.minutes
    return time.minutes % 720 == gold.minutes % 720


def same_moment(moment: Time | Date, gold: Time | Date) -> bool:
    """Whether two times, or two dates, are the same."""
    if isinstance(moment, Time) and isinstance(gold, Time):
        return same_time(moment, gold)
    return isinstance(moment, Date) and isinstance(gold, Date) and same_date(moment, gold)


def moment_name(moment: Time | Date, gold: Time | Date) -> str:
    """The answer class of a time or date that isn't `gold`, as exactly as `gold` is given."""
    return moment.name(sure=isinstance(gold, Time) and gold.sure) if isinstance(moment, Time) else moment.name()


def same_date(date: Date, gold: Date) -> bool:
    """Whether two dates are the same day; a year that the gold date doesn't have is read over."""
    return (date.month, date.day) == (gold.month, gold.day) and gold.year in {0, date.year}


@lru_cache(maxsize=8_192)
def gold_time(gold: str, question: str) -> Time | None:
    """The time that a gold answer is; None where it is none, or a ratio."""
    written = without_markup(gold).strip(" .")
    loose = _LOOSE_TIME.fullmatch(written) is not None and _ASKS_TIME.search(question) is not None
    if not loose and not _GOLD_TIME.fullmatch(written):
        found = _TIME.fullmatch(written)
        return _time(found) if found is not None and found["said"] is None and found["hour"] is None else None
    if _ASKS_RATIO.search(question) and not re.search(r"clock|[ap]\.?\s?m\b", question + gold, re.IGNORECASE):
        return None
    return times_in(written)[0] if times_in(written) else None


def times_in(text: str) -> list[Time]:
    """The times of day that `text` mentions, in order."""
    times = (_time(match) for match in _TIME.finditer(without_markup(text)[:2_000]))
    return [time for time in times if time is not None]


def _time(match: re.Match[str]) -> Time | None:
    groups = match.groupdict()
    if groups["noon"]:
        return Time(0 if groups["noon"].lower() == "midnight" else 720, True)
    halves = [groups[name] for name in groups if name.endswith("half") and groups[name]]
    parts = [groups[name] for name in groups if name.endswith(("part", "night")) and groups[name]]
    late = halves[0].lower() == "p" if halves else parts[0].lower() != "morning" if parts else None
    if groups["hour"] or groups["phour"]:
        hour, minute = int(groups["hour"] or groups["phour"]), int(groups["minute"] or groups["pminute"])
    elif groups["amount"]:
        of = groups["of"].lower()
        hour, amount = _number({"noon": "12", "midnight": "12"}.get(of, of)), _number(groups["amount"])
        before = groups["side"].lower() in {"to", "till", "before"}
        hour, minute = (hour - 1, 60 - amount) if before else (hour, amount)
        hour = hour or 12
    elif groups["full"]:
        hour, minute = _number(groups["full"]), 0
    else:
        hour, minute = _number(groups["said"]), _number(groups["minutes"].lower().removeprefix("oh "))
    if hour > 24 or minute > 59 or (hour == 24 and minute):
        return None
    if late is not None and hour <= 12:
        hour = hour % 12 + (12 if late else 0)
    return Time(hour % 24 * 60 + minute, late is not None or hour > 12 or hour == 0)


def _number(word: str) -> int:
    return (
        int(word)
        if word.isdigit()
        else _VALUES[word.lower().replace(" ", "-") if "quarter" not in word and "half" not in word else word.lower()]
    )


@lru_cache(maxsize=8_192)
def gold_date(gold: str) -> Date | None:
    """The date that a gold answer is, None where it is none."""
    match = _DATE.fullmatch(without_markup(gold).strip(" ."))
    return _date(match) if match is not None else None


def dates_in(text: str) -> list[Date]:
    """The dates that `text` mentions, in order."""
    dates = (_date(match) for match in _DATE.finditer(without_markup(text)[:2_000]))
    return [date for date in dates if date is not None]


def _date(match: re.Match[str]) -> Date | None:
    groups = match.groupdict()
    if groups["first"]:
        first, second = int(groups["first"]), int(groups["second"])
        day_first = first > 12 or (groups["sign"] == "." and second <= 12)
        month, day = (second, first) if day_first else (first, second)
        return _checked(int(groups["year"]), month, day)
    if groups["month"] or groups["month2"]:
        name = (groups["month"] or groups["month2"]).lower()[:3]
        month = next(number for number, full in enumerate(_MONTHS, start=1) if full.startswith(name))
        return _checked(int(groups["my"] or groups["dy"] or 0), month, int(groups["day"] or groups["day2"]))
    year, month, day = (int(groups[a] or groups[b]) for a, b in (("y", "cy"), ("m", "cm"), ("d", "cd")))
    return _checked(year, month, day)


def _checked(year: int, month: int, day: int) -> Date | None:
    return Date(year, month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None
