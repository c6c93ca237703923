"""One request to an OpenAI-compatible endpoint, sent again while that can help, and its failures told apart.

Too many requests, a server's own failures, timeouts, broken and empty replies are tried again with growing, random
pauses, no earlier than the server asks by `Retry-After`. What another request would meet too (a refused key, no such
model, no server) ends the run; what is wrong with this request alone is `RequestFailed`. The key stands in no message.
"""

from __future__ import annotations

import importlib
import json
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from vpbench.endpoint.budget import Meter
from vpbench.endpoint.keys import KeyMask, check_address, read_key
from vpbench.endpoint.messages import no_choices
from vpbench.endpoint.replies import ACCEPTED, BrokenReply, unpacked
from vpbench.endpoint.threads import RequestThreads
from vpbench.errors import ConfigError, require

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
LONGEST_ASKED_PAUSE_S = 600.0
MESSAGE_CHARACTERS = 300
_HOPELESS = {
    401: "refuses the key in {key}",
    402: "wants payment for the key in {key}",
    403: "doesn't allow this to the key in {key}",
    404: "knows no such model or address",
}
_TRANSIENT = (408, 409, 425, 429)
_REFUSED_WITHIN_200 = (400, 422)


class RequestFailed(Exception):
    """One request got no samples. `refused`: the server won't have it as it is; else it may work another time.

    `explanation` is the error's body, JSON or text, as it came: to decide by, not to show. None without one.
    """

    def __init__(self, reason: str, refused: bool = False, explanation: Any = None) -> None:
        super().__init__(reason)
        self.refused = refused
        self.explanation = explanation


@dataclass(frozen=True)
class _Answer:
    """What came back, of whatever status."""

    status: int
    headers: Mapping[str, str]
    data: bytes


@dataclass(frozen=True)
class _Failure:
    """Why a try gave no reply; `error` is raised at once, without one the request may be sent again after `pause_s`."""

    reason: str
    error: Exception | None = None
    pause_s: float = 0.0
    explanation: Any = None


class ChatClient:
    """The endpoint at `base_url`; can be shared by threads. `meter` counts its replies.

    The key is what the environment variable `key_name` holds, if it holds one: a server of one's own may want none.
    Raises `ConfigError` if the `openai` package is missing, and for a key or an address that can't be one.
    """

    def __init__(self, base_url: str, key_name: str, timeout_s: float, retries: int, meter: Meter) -> None:
        require("openai", "openai")
        import openai

        key = read_key(key_name)
        check_address(base_url, key)
        # Of the package only its HTTP client is used: its own requests take replies of any length.
        self._http = openai.DefaultHttpxClient(timeout=timeout_s, follow_redirects=False)
        self._library: Any = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__)
        self._headers = {
            "Authorization": f"Bearer {key or 'none'}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED,
        }
        self._base_url, self._key_name = base_url.rstrip("/"), key_name
        self._mask, self._meter = KeyMask(key), meter
        self._timeout_s, self._retries = timeout_s, retries
        self._reached = False

    def prepare(self) -> None:
        """Raises `ConfigError` if the command's budget can't be kept here, `BudgetSpent` if there is nothing left."""
        self._meter.check(self._base_url)

    def complete(
        self,
        body: Mapping[str, Any],
        stop: threading.Event,
        flaw: Callable[[Mapping[str, Any]], str | None] = no_choices,
    ) -> dict[str, Any]:
        """The reply to a chat-completions request, as the JSON object it is; `stop` cuts pauses short and
        lets no other request go out. A reply in which `flaw` finds one is asked for again.

        Raises `RequestFailed`, `BudgetSpent`, and `ConfigError` for what every request would meet.
        """
        for attempt in range(self._retries + 1):
            self._meter.check(self._base_url)
            if stop.is_set():
                raise RequestFailed("stopped")
            reply = self._try(body)
            if isinstance(reply, dict):
                self._meter.count(reply)
                reason = flaw(reply)
                if reason is None:
                    return reply
            failure = reply if isinstance(reply, _Failure) else _Failure(self.shown(reason))
            if failure.error is not None:
                raise failure.error
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt) * random.uniform(0.5, 1)
            if attempt < self._retries and stop.wait(max(failure.pause_s, pause_s)):
                raise RequestFailed("stopped")
        if not self._reached:
            raise ConfigError(f"{failure.reason}; start the server, or give its address by base_url or OPENAI_BASE_URL")
        raise RequestFailed(failure.reason, explanation=failure.explanation)

    def shown(self, message: object) -> str:
        """A message of the server's, fit to be shown: short and without the key."""
        return self._mask(str(message)[: 8 * MESSAGE_CHARACTERS])[:MESSAGE_CHARACTERS]

    def kept(self, text: str) -> str:
        """A response as it is kept: without the key, should the server have written all of it there."""
        return self._mask.whole(text)

    def _try(self, body: Mapping[str, Any]) -> dict[str, Any] | _Failure:
        """The reply or why there is none. It raises nothing, since tracebacks show what an exception came from."""
        try:
            # A thread that can be left behind: whatever the server drips, nobody waits longer than this.
            with RequestThreads(1) as thread:
                answer: _Answer = thread.submit(self._exchange, body).result(self._timeout_s)
        except (TimeoutError, self._library.TimeoutException):
            self._reached = True
            return _Failure(f"no reply within {self._timeout_s:g} s")
        except BrokenReply as error:
            self._reached = True
            return _Failure(f"broken reply: {self.shown(error)}")
        except (self._library.HTTPError, self._library.InvalidURL, OSError, ValueError) as error:
            self._reached |= isinstance(error, self._library.ReadError | self._library.RemoteProtocolError)
            return _Failure(f"no connection to {self._base_url}: {self.shown(error)}")
        self._reached = True
        return self._read(answer)

    def _exchange(self, body: Mapping[str, Any]) -> _Answer:
        deadline = time.monotonic() + self._timeout_s
        content = json.dumps(body).encode()
        url = f"{self._base_url}/chat/completions"
        with self._http.stream("POST", url, content=content, headers=self._headers) as response:
            try:
                data = unpacked(response.iter_raw(), response.headers.get("content-encoding", ""), deadline)
            except BrokenReply:
                if response.status_code < 300:
                    raise
                data = b""
            return _Answer(response.status_code, response.headers, data)

    def _read(self, answer: _Answer) -> dict[str, Any] | _Failure:
        text = answer.data.decode("utf-8-sig", "replace")
        try:
            content, flaw = json.loads(text), None
        except (ValueError, RecursionError) as error:
            content, flaw = text, f"broken reply: not valid JSON ({self.shown(error)})"
        if answer.status >= 300:
            return self._failure(answer.status, answer.headers, content)
        if flaw is None and not isinstance(content, dict):
            flaw = "broken reply: not a JSON object"
        if flaw is not None:
            return _Failure(flaw)
        if content.get("error"):
            code = _detail(content).get("code")
            return self._failure(code if code in _REFUSED_WITHIN_200 else 200, {}, content)
        return dict(content)

    def _failure(self, status: int, headers: Mapping[str, str], content: Any) -> _Failure:
        """What a refusal, or an error within a reply of status 200, means."""
        code, message = _detail(content).get("code"), self.shown(_message(content))
        where = f"{self._base_url} "
        if 300 <= status < 400:
            target = self.shown(headers.get("location", "nowhere"))
            return _final(ConfigError(f"{where}redirects to {target} ({status}); give the right address by base_url"))
        if status in _HOPELESS or code == "insufficient_quota":
            hopeless = _HOPELESS.get(status, "has no quota left for the key in {key}").format(key=self._key_name)
            return _final(ConfigError(f"{where}{hopeless} ({status}: {message})"))
        if (400 <= status < 500 and status not in _TRANSIENT) or status == 501:
            reason = f"refused by the endpoint ({status}): {message}"
            return _final(RequestFailed(reason, refused=True, explanation=content))
        pause_s = _asked_pause_s(headers)
        if pause_s > LONGEST_ASKED_PAUSE_S:
            return _final(RequestFailed(f"rate limit: the server asks to wait {pause_s:.0f} s; run again later"))
        explanation = None if status in _TRANSIENT else content
        return _Failure(f"failed at the endpoint ({status}): {message}", None, pause_s, explanation)


def _final(error: Exception) -> _Failure:
    return _Failure(str(error), error)


def _detail(content: Any) -> Mapping[str, Any]:
    """The object that describes an error, in which form servers may send it."""
    if isinstance(content, list) and content:
        content = content[0]
    error = content.get("error", content) if isinstance(content, Mapping) else None
    return error if isinstance(error, Mapping) else {}


def _message(content: Any) -> str:
    """What an error says, in one line: its message where it has one in the usual place, else all of it."""
    message = _detail(content).get("message")
    if not isinstance(message, str):
        message = content if isinstance(content, str) else json.dumps(content)
    return " ".join(message.split()) or "no explanation"


def _asked_pause_s(headers: Mapping[str, str]) -> float:
    """The pause that `Retry-After` (RFC 9110: seconds or a date) asks for, 0 without a readable one."""
    asked = headers.get("retry-after", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(asked).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0
