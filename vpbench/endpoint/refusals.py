"""Which parameter of a request a server refuses, by whatever it says of that.

OpenAI names it in `error.param`, FastAPI servers in `detail[].loc`, others in the message alone, some in a message
within a message. What is refused for its value's size ("max_tokens is too large") isn't refused as such: leaving it out
would change what was asked for where another value is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

LIMIT_NAMES = ("max_tokens", "max_completion_tokens")
"""The two names of the token limit, the one to begin with first."""

PARAMETERS = ("temperature", "top_p", "max_tokens", "n", "seed", "logprobs")
"""What can be left out of a request; `max_tokens` is the limit under either name."""

_NAMES = {
    "temperature": "(?i:temperature)",
    "top_p": "(?i:top[_-]?p)",
    "max_tokens": "(?i:max_?(?:completion_?|output_?|new_?)?tokens)",
    "n": "n|(?i:best_of|candidate_?count|num_generations)",
    "seed": "(?i:seed|random_seed)",
    "logprobs": "(?i:(?:top_?|response_?)?log_?probs|log probabilities)",
}
_PATTERNS = {name: re.compile(rf"(?<![\w\\])(?:{pattern})(?!\w)") for name, pattern in _NAMES.items()}
_INSTEAD = re.compile(r"\b(?:use|using|try|prefer|in favou?r of)\s+[`'\"]?\w+[`'\"]?(?:\s+instead)?", re.I)
_CONFLICT = re.compile(
    r"both|only one|one of|either|together|simultaneous|same time|mutually|combin|conflict|not and|but not|"
    r"with [`'\"]?(?:top_p|temperature)",
    re.I,
)
_UNSUPPORTED = re.compile(
    r"unsupported|(?:not|n't) (?:yet |currently )?(?:be )?(?:support|permit|allow|accept|recogni|available|implement)|"
    r"unknown|unrecogni[sz]ed|unexpected|extra|deprecated|unset|cannot find|no longer|"
    r"only (?:the )?(?:default|\S+ (?:is|are) )|only be|forbid|fixed",
    re.I,
)
_SIZE = re.compile(
    r"between|at most|at least|exceed|range|maximum|minimum|(?:less|greater|larger|more|smaller|bigger) than|"
    r"must be (?:strictly |a )?(?:positive|non-?negative)|[<>≤≥]",
    re.I,
)
_TOO_MUCH = re.compile(r"context[ _](?:length|window|size)|too (?:large|long|big|many)|reduce the", re.I)
_LIST = re.compile(r"parameters?:? ?\[|unsupported param|extra", re.I)
"""What is said of both parameters holds of each of them."""

_ECHOES = {"input", "request", "body", "payload", "received", "ctx"}
"""Fields in which servers send the request back."""

_ECHO = re.compile(r"['\"](?:input|body|request|payload)['\"]: ?\{.*", re.S)
"""The same within a message."""

_DEEPEST = 8


def refused_parameter(explanation: Any, sent: Mapping[str, Any]) -> str | None:
    """The parameter, one of PARAMETERS, without which the request may be taken; None if no one is refused as such.

    `explanation` is the refusal's body as JSON or text, `sent` the parameters that were in the request.
    """
    text = _ECHO.sub("", "\n".join(_texts(explanation)))
    if _TOO_MUCH.search(text):
        return None
    named = _mentions(text, sent)
    conflict = _CONFLICT.search(text) or not (_UNSUPPORTED.search(text) or _SIZE.search(text))
    if {"temperature", "top_p"} <= named.keys() and conflict and not _LIST.search(text):
        return "top_p"
    mentions = _mentions(_INSTEAD.sub(" ", text), sent) or named
    pointed = [name for name in sent for field in _pointers(explanation) if _PATTERNS[name].fullmatch(field)]
    name = pointed[0] if pointed else min(mentions, key=mentions.__getitem__, default=None)
    # A server that wants top_p below 1 may draw from all tokens just as well by not being given it.
    unneeded = name == "n" or (name == "top_p" and sent["top_p"] == 1)
    if name is None or (_SIZE.search(text) and not _UNSUPPORTED.search(text) and not unneeded):
        return None
    return name


def _mentions(text: str, names: Iterable[str]) -> dict[str, int]:
    """Where each of the parameters is first named, of those that are."""
    return {name: match.start() for name in names if (match := _PATTERNS[name].search(text))}


def _texts(node: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif depth < _DEEPEST and isinstance(node, Mapping):
        for key, value in node.items():
            if key not in _ECHOES:
                yield str(key)
                yield from _texts(value, depth + 1)
    elif depth < _DEEPEST and isinstance(node, Collection) and not isinstance(node, bytes):
        for value in node:
            yield from _texts(value, depth + 1)


def _pointers(node: Any, depth: int = 0) -> Iterator[str]:
    """What stands in the fields by which servers point at a part of the request."""
    if depth < _DEEPEST and isinstance(node, Mapping):
        for key, value in node.items():
            if key in ("param", "field", "loc", "parameter"):
                yield from _texts(value)
            elif key not in _ECHOES:
                yield from _pointers(value, depth + 1)
    elif depth < _DEEPEST and isinstance(node, list):
        for value in node:
            yield from _pointers(value, depth + 1)
