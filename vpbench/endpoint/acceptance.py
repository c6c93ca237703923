"""Whether a server takes anything at all: one that refuses every request is told from one that refuses some.

Nothing was taken yet, and several conversations are refused with the same words: then the same parameters are sent
with a conversation nobody could object to. If that is refused as well, all others would be; if it is taken, the
refusals are about what the conversations hold, and each stays a failed row.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cache

from vpbench.endpoint.client import RequestFailed
from vpbench.errors import ConfigError
from vpbench.prompts import Message, Prompt
from vpbench.records import ImageRef

DOUBTFUL = 3
"""So many conversations refused with the same words raise the question."""

_VARYING = re.compile(r"\S*\d\S*")
"""Words of a refusal that may differ by request: numbers of tokens, names of requests."""


@dataclass
class Acceptance:
    """What one server made of the requests so far; shared by threads."""

    _settled: bool = field(default=False, init=False)
    _askers: dict[str, set[Hashable]] = field(default_factory=dict, init=False)
    _hopeless: str | None = field(default=None, init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)

    def taken(self) -> None:
        """A request was taken: no refusal is one of everything."""
        self._settled = True

    def refused(self, conversation: Hashable, reason: str, ask_plainly: Callable[[], object]) -> None:
        """Count a refusal; `ask_plainly` sends the `plain` conversation once it is doubtful that any is taken.

        Raises `ConfigError` if that is refused in the same words, and what `ask_plainly` raises but `RequestFailed`.
        """
        with self._lock:  # others wait here while the plain conversation is asked
            if not self._settled:
                askers = self._askers.setdefault(_words(reason), set())
                askers.add(conversation)
                if len(askers) >= DOUBTFUL:
                    self._settled = True  # before it is asked: this lets its own refusals through
                    try:
                        ask_plainly()
                    except RequestFailed as error:
                        if error.refused and _words(str(error)) == _words(reason):
                            self._hopeless = reason
            if self._hopeless is not None:
                raise ConfigError(
                    f"every request is {self._hopeless}; so is a plain one with the same settings. Correct the model's "
                    "name or its settings; what is done is kept, the same command goes on"
                )


def plain(prompt: Prompt) -> Prompt:
    """One sample of a conversation with the prompt's roles, pictures and parameters, whose content is harmless."""
    messages = [
        Message(message.role, "Please reply with the word yes.", (_grey(),) if message.images else ())
        for message in prompt.messages
    ]
    return replace(prompt, messages=tuple(messages), count=1)


@cache
def _grey() -> ImageRef:
    from PIL import Image

    from vpbench.images import png

    data = png(Image.new("RGB", (64, 64), "grey"))
    return ImageRef("a grey picture", load=lambda: data)


def _words(reason: str) -> str:
    return _VARYING.sub("", reason)
