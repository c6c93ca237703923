"""An endpoint's key: read from an environment variable, never a setting, never shown in any form.

What a server or a library says may hold the key whole, in part, quoted or encoded: whatever is shown of it goes through
`KeyMask`. Decisions are taken on what came; only what is shown is masked.
"""

from __future__ import annotations

import base64
import json
import os
import re
from urllib.parse import quote, unquote, urlsplit

from vpbench.errors import ConfigError

API_KEY_ENV = "OPENAI_API_KEY"
"""The variable that holds the key where no other is named."""

SHORTEST_MASKED = 8
"""Characters. Keys of one's own servers ("x", "token") are pieces of words and aren't masked."""

_MASK = "[key]"


def check_variable(name: str) -> None:
    """Raises `ConfigError`, without the text, for what is no environment variable's name: perhaps the key itself."""
    like_a_key = len(name) >= 16 and "_" not in name and re.search(r"\d", name)
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name) or (like_a_key and name not in os.environ):
        raise ConfigError("api_key_env is the name of an environment variable, in capitals; never the key itself")


def read_key(variable: str) -> str | None:
    """The key in an environment variable, without blanks around it; None if there is none.

    Raises `ConfigError`, without the key, for one with characters that no key has.
    """
    key = os.environ.get(variable, "").strip()
    if not all("!" <= character <= "~" for character in key):
        raise ConfigError(
            f"the key in {variable} holds a blank, a control character or one beyond ASCII; set the variable anew"
        )
    return key or None


def check_address(url: str, key: str | None) -> None:
    """Raises `ConfigError`, without the text, for a server's address that holds a key or password, or is none."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"base_url is no address ({error}); give one such as http://localhost:8000/v1") from None
    if parts.username or parts.password or parts.query or parts.fragment or holds_key(unquote(parts.path), key):
        raise ConfigError("base_url must hold no key or password; name a variable by api_key_env")


def check_model(name: str, key: str | None) -> None:
    """Raises `ConfigError`, without the text, for a model's name that holds a key or password."""
    if "?" in name or re.search(r"://[^/]*@|(key|token|password)=", name, re.I) or holds_key(unquote(name), key):
        raise ConfigError("the model's name must hold no key or password; name a variable by api_key_env")


def holds_key(text: str, key: str | None) -> bool:
    """Whether the whole key stands in the text, if it is long enough to be no piece of a word."""
    return key is not None and len(key) >= SHORTEST_MASKED and key in text


class KeyMask:
    """Blots a key out of texts, wherever eight of its characters stand in a row, plain, quoted or encoded."""

    def __init__(self, key: str | None) -> None:
        key = key if key and len(key) >= SHORTEST_MASKED else None
        forms = [] if key is None else _forms(key)
        self._pieces = {
            form[start : start + SHORTEST_MASKED] for form in forms for start in range(len(form) - SHORTEST_MASKED + 1)
        }
        self._whole = [] if key is None or len(key) < 2 * SHORTEST_MASKED else [key, json.dumps(key)[1:-1]]

    def __call__(self, text: str) -> str:
        """A text to be shown, without the key."""
        if not self._pieces:
            return text
        lower = _lower(text)
        shown: list[str] = []
        end = 0
        for start in range(len(text)):
            if lower[start : start + SHORTEST_MASKED] in self._pieces:
                if start > end or not shown:
                    shown += [text[end:start], _MASK]
                end = start + SHORTEST_MASKED
        return "".join([*shown, text[end:]])

    def whole(self, text: str) -> str:
        """A response without the whole key. Its pieces stay, they may be words."""
        for form in self._whole:
            text = text.replace(form, _MASK)
        return text


def _forms(key: str) -> list[str]:
    """How a key may stand in a text, in lower case. In base64 its letters depend on how many stand before it."""
    encoded = [base64.b64encode(b"\0" * before + key.encode()) for before in range(3)]
    forms = [key, repr(key)[1:-1], json.dumps(key)[1:-1], quote(key, safe=""), key.encode().hex()]
    forms += [code.decode()[before and 4 :].rstrip("=") for before, code in enumerate(encoded)]
    forms += [form.replace("+", "-").replace("/", "_") for form in forms[-3:]]
    return [_lower(form) for form in forms]


def _lower(text: str) -> str:
    """ASCII letters in lower case, so that the text keeps its length."""
    return "".join(character.lower() if character.isascii() else character for character in text)
