"""A language model's verdicts on steps or on a solution, read from what it writes: JSON or text, after any thinking.

Nothing is guessed: a step without a readable verdict leaves the whole reply unread.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

MAX_REPLY_CHARACTERS = 20_000
MAX_JSON_STARTS = 200
LEAST_MASS = 0.5
"""First-token log-probabilities count where yes and no together have at least this probability."""

_RIGHT = frozenset(("correct", "right", "true", "yes", "valid", "1", "1.0", "+"))
_WRONG = frozenset(("incorrect", "wrong", "false", "no", "invalid", "not correct", "not right", "0", "0.0", "-1", "-"))
_WORD = "(not correct|not right|incorrect|correct|right|wrong|true|false|yes|no|valid|invalid)"
_STEP_LINE = re.compile(rf"\bstep\W{{0,4}}(\d{{1,3}})\b\W{{0,6}}(?:is )?{_WORD}\b", re.IGNORECASE)
_LONE = re.compile(rf"\W*{_WORD}\b(?=\W*(?:\n|\Z)|[,.:;!*])", re.IGNORECASE)
_NAMED = re.compile(rf"\b(?:verdict|answer|correct)\W{{1,6}}{_WORD}\b", re.IGNORECASE)
_NUMBER_KEYS = ("step", "number", "index", "id")
_VERDICT_KEYS = ("verdict", "correct", "label", "judgement", "judgment")


def step_verdicts(reply: str, count: int) -> tuple[float, ...] | None:
    """1 (correct) or 0 for each of `count` steps; None unless every step has its verdict.

    The last JSON with all of them counts: {"1": "correct", ...}, [{"step": 1, "verdict": ...}, ...] or [true, ...],
    also inside an object; else lines such as "Step 2: wrong", of which the last on a step counts.
    """
    text = _after_thinking(reply)
    decoder = json.JSONDecoder()
    starts = [match.start() for match in re.finditer(r"[\[{]", text)]
    for start in reversed(starts[-MAX_JSON_STARTS:]):
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        verdicts = _complete(_numbered(value), count)
        if verdicts is not None:
            return verdicts
    return _complete(_STEP_LINE.findall(text), count)


def yes_probability(reply: str, first_token_logprobs: Mapping[str, float] | None) -> float | None:
    """The probability of yes against no as a reply's first word, else its verdict as 1 or 0; None if it has neither.

    `first_token_logprobs` maps the likeliest first tokens to natural log-probabilities, where these are known.
    """
    mass = {"yes": 0.0, "no": 0.0}
    for token, logprob in (first_token_logprobs or {}).items():
        word = re.sub(r"[\W_]", "", token).lower()
        for answer in mass:
            if word and answer.startswith(word):
                mass[answer] += math.exp(min(logprob, 0.0))
    if sum(mass.values()) >= LEAST_MASS:
        return mass["yes"] / sum(mass.values())
    text = _after_thinking(reply)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        lines = text.splitlines()
        lone = [match[1] for line in lines[:1] + lines[-1:] if (match := _LONE.match(line))]
        verdicts = lone or _NAMED.findall(text)
        return _truth(verdicts[-1]) if verdicts else None
    return _truth(next(iter(value.values()), None) if isinstance(value, dict) else value)


def _after_thinking(reply: str) -> str:
    return reply[-MAX_REPLY_CHARACTERS:].rpartition("</think>")[2].strip()


def _complete(numbered: Iterable[tuple[Any, Any]], count: int) -> tuple[float, ...] | None:
    """The verdicts in the steps' order, if each step has one; of several the last."""
    truths = {str(number): _truth(verdict) for number, verdict in numbered}
    verdicts = [truths.get(str(number)) for number in range(1, count + 1)]
    readable = tuple(verdict for verdict in verdicts if verdict is not None)
    return readable if len(readable) == count else None


def _numbered(value: Any) -> list[tuple[Any, Any]]:
    """Pairs of a step's number and its verdict, of any of the JSON forms."""
    if isinstance(value, dict) and len(value) == 1 and isinstance(inner := next(iter(value.values())), list | dict):
        value = inner
    if isinstance(value, dict):
        return [(re.sub(r"\D", "", key), verdict) for key, verdict in value.items()]
    if not isinstance(value, list):
        return []
    return [
        (_first(verdict, _NUMBER_KEYS, number), _first(verdict, _VERDICT_KEYS, None))
        if isinstance(verdict, dict)
        else (number, verdict)
        for number, verdict in enumerate(value, 1)
    ]


def _first(fields: Mapping[str, Any], keys: Iterable[str], otherwise: Any) -> Any:
    return next((fields[key] for key in keys if key in fields), otherwise)


def _truth(value: Any) -> float | None:
    word = str(value).strip(" *_.\"'").lower() if isinstance(value, str | int | float) else ""
    return 1.0 if word in _RIGHT else 0.0 if word in _WRONG else None
