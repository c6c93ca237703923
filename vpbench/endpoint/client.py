"""One request to an OpenAI-compatible endpoint, sent again while that can help, and its failures told apart.

Too many requests, a server's own failures, timeouts and broken replies are tried again with growing, random pauses, no
earlier than the server asks by `Retry-After`. What another request would meet too (a refused key, no such model, no
server) ends the run; what is wrong with this request alone is `RequestFailed`. The key stands in no message.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from vpbench.errors import ConfigError, require

if TYPE_CHECKING:
    from openai import APIStatusError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
LONGEST_ASKED_PAUSE_S = 600.0
MESSAGE_CHARACTERS = 300
_HOPELESS = {
    401: "refuses the key in {key}",
    402: "wants payment for the key in {key}",
    403: "doesn't allow this to the key in {key}",
    404: "knows no such model or address",
}


class RequestFailed(Exception):
    """One request got no samples. `refused`: the server won't have it as it is; else it may work another time."""

    def __init__(self, reason: str, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class ChatClient:
    """The endpoint at `base_url`; can be shared by threads.

    `key` is what the environment variable `key_name` holds (None: nothing; a server of one's own may want none).
    Raises `ConfigError` if the `openai` package is missing.
    """

    def __init__(self, base_url: str, key: str | None, key_name: str, timeout_s: float, retries: int) -> None:
        require("openai", "openai")
        import openai

        self._openai = openai
        self._client = openai.OpenAI(base_url=base_url, api_key=key or "none", timeout=timeout_s, max_retries=0)
        self._base_url, self._key, self._key_name = base_url, key, key_name
        self._timeout_s, self._retries = timeout_s, retries
        self._reached = False

    def complete(self, body: Mapping[str, Any], stop: threading.Event) -> dict[str, Any]:
        """The reply to a chat-completions request, as the JSON object it is; `stop` cuts pauses short and
        lets no other request go out.

        Raises `RequestFailed`, and `ConfigError` for what every request would meet.
        """
        for attempt in range(self._retries + 1):
            asked_s = 0.0
            if stop.is_set():
                raise RequestFailed("stopped")
            try:
                text = self._client.chat.completions.with_raw_response.create(**body).text
                self._reached = True
                reply = json.loads(text)
                if isinstance(reply, dict):
                    return reply
                reason = "broken reply: not a JSON object"
            except self._openai.APITimeoutError:
                self._reached = True
                reason = f"no reply within {self._timeout_s:g} s"
            except self._openai.APIConnectionError as error:
                reason = f"no connection to {self._base_url}: {self._short(error.__cause__ or error)}"
            except self._openai.APIStatusError as error:
                self._reached = True
                asked_s = _asked_pause_s(error.response.headers)
                reason = self._retriable(error)
            except (ValueError, RecursionError) as error:
                reason = f"broken reply: not valid JSON ({self._short(error)})"
            if asked_s > LONGEST_ASKED_PAUSE_S:
                raise RequestFailed(f"rate limit: the server asks to wait {asked_s:.0f} s; run again later")
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt) * random.uniform(0.5, 1)
            if attempt < self._retries and stop.wait(max(asked_s, pause_s)):
                raise RequestFailed("stopped")
        if not self._reached:
            raise ConfigError(f"{reason}; start the server, or give its address by base_url or OPENAI_BASE_URL")
        raise RequestFailed(reason)

    def _retriable(self, error: APIStatusError) -> str:
        """Why the server failed, if the request may be sent again. Raises `ConfigError`, `RequestFailed`."""
        status = error.status_code
        explanation = error.body.get("message") if isinstance(error.body, dict) else None
        message = self._short(explanation or error.message)
        hopeless = _HOPELESS.get(status, "has no quota left for the key in {key}")
        if status in _HOPELESS or error.code == "insufficient_quota":
            raise ConfigError(f"{self._base_url} {hopeless.format(key=self._key_name)} ({status}: {message})")
        if status < 500 and status not in (408, 409, 425, 429):
            raise RequestFailed(f"refused by the endpoint ({status}): {message}", refused=True)
        return f"failed at the endpoint ({status}): {message}"

    def _short(self, message: object) -> str:
        text = str(message)
        return (text.replace(self._key, "[key]") if self._key else text)[:MESSAGE_CHARACTERS]


def _asked_pause_s(headers: Mapping[str, str]) -> float:
    """The pause that `Retry-After` (RFC 9110: seconds or a date) asks for, 0 without a readable one."""
    asked = headers.get("retry-after", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(asked).timestamp() - time.time()
        except ValueError:
            return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0
