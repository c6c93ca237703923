"""Generation by any server that speaks the OpenAI chat-completions protocol: a commercial one, or one's own vLLM.

Requests run concurrently. Several samples of a prompt are one request where the server allows that, else one each;
images travel as data URLs. Tokens are counted as the server tells them, and priced where prices are given.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

from vpbench.endpoint.client import ChatClient, RequestFailed
from vpbench.endpoint.messages import generations, message_body, token_counts
from vpbench.endpoint.threads import RequestThreads
from vpbench.errors import ConfigError, DataError
from vpbench.generate.generator import Generator
from vpbench.prompts import Generation, Prompt

OPENAI_URL = "https://api.openai.com/v1"
TOP_LOGPROBS = 5
NEWER_LIMIT_NAME = "max_completion_tokens"


class _Learned:
    """What requests so far have shown: what the server can't do, and what was used."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.one_by_one = False
        self.no_logprobs = False
        self.limit_name = "max_tokens"
        self.used: Counter[str] = Counter()


@dataclass(frozen=True)
class OpenAIEndpoint(Generator):
    """`model` on the server at `base_url` (None: OPENAI_BASE_URL, else OpenAI's own).

    The key is read from the environment variable `api_key_env`. A request is tried again up to `retries` times, each
    time for at most `timeout_s`. Prices are in US dollars per million tokens. Seeds go to the server by `send_seed`.
    """

    backend: ClassVar[str] = "openai"

    model: str
    base_url: str | None = None
    api_key_env: str = field(default="OPENAI_API_KEY", compare=False)
    concurrency: int = field(default=16, compare=False)
    retries: int = field(default=6, compare=False)
    timeout_s: float = field(default=600.0, compare=False)
    prompt_price: float | None = field(default=None, compare=False)
    completion_price: float | None = field(default=None, compare=False)
    send_seed: bool = False

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("openai model: no name; write openai:MODEL, as the server calls it")
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.api_key_env):
            raise ConfigError(
                "openai model: api_key_env is the name of an environment variable, in capitals; never the key itself"
            )
        parts = urlsplit(self.base_url or os.environ.get("OPENAI_BASE_URL", ""))
        if parts.username or parts.password or parts.query:
            raise ConfigError("openai model: base_url must hold no key or password; name a variable by api_key_env")
        if self.concurrency < 1 or self.retries < 0 or self.timeout_s <= 0:
            raise ConfigError("openai model: concurrency has to be at least 1, retries 0, timeout_s above 0")

    def prepare(self) -> None:
        """Make the client. Raises `ConfigError` without key or package."""
        self._client  # noqa: B018

    def revision(self) -> str:
        """The server's address."""
        return self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL

    def usage(self) -> Mapping[str, float]:
        """Requests answered, tokens as the server counts them, and their cost where both prices are given."""
        with self._learned.lock:
            used: dict[str, float] = dict(self._learned.used)
        if self.prompt_price is not None and self.completion_price is not None:
            prices = {"prompt_tokens": self.prompt_price, "completion_tokens": self.completion_price}
            used["cost"] = sum(used.get(name, 0) * price for name, price in prices.items()) / 1e6
        return used

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        """Every sample of every prompt as it arrives; whoever asks for no more waits for none in flight."""
        self.prepare()
        stop = threading.Event()
        work = deque((position, 0, prompt.count) for position, prompt in enumerate(prompts) if prompt.count)
        running: dict[Future[list[Generation]], tuple[int, int, int]] = {}
        with RequestThreads(self.concurrency) as pool:
            try:
                while work or running:
                    while work and len(running) < self.concurrency:
                        position, first, count = work.popleft()
                        if count > 1 and self._learned.one_by_one:
                            work.extendleft([(position, first + k, 1) for k in reversed(range(count))])
                            continue
                        request = pool.submit(self._samples, prompts[position], first, count, stop)
                        running[request] = (position, first, count)
                    for request in wait(running, return_when=FIRST_COMPLETED).done:
                        position, first, count = running.pop(request)
                        samples = request.result()
                        if len(samples) < count:
                            work.appendleft((position, first + len(samples), count - len(samples)))
                        for sample in samples:
                            yield position, sample
            finally:
                stop.set()

    def _samples(self, prompt: Prompt, first: int, count: int, stop: threading.Event) -> list[Generation]:
        """At least one and at most `count` samples, the first of which is number `first` of the prompt."""
        try:
            messages = [message_body(message) for message in prompt.messages]
        except DataError as error:
            return [Generation("", error=str(error))] * count
        logprobs = prompt.first_token_logprobs and not self._learned.no_logprobs
        # A server may refuse several samples or log-probabilities: ask for less, and remember what it can't do.
        simpler = [(count, logprobs), (count, False), (1, logprobs), (1, False)]
        failure: RequestFailed | None = None
        for number, with_logprobs in dict.fromkeys(simpler):
            try:
                reply = self._reply(prompt, messages, first, number, with_logprobs, stop)
            except RequestFailed as error:
                failure = failure or error
                if error.refused:
                    continue
                break
            samples = self._read(reply)[:number]
            if not samples:
                failure = RequestFailed("broken reply: no choices")
                break
            self._learned.one_by_one |= len(samples) < count
            self._learned.no_logprobs |= with_logprobs != logprobs
            return samples
        return [Generation("", error=str(failure))] * count

    def _reply(
        self,
        prompt: Prompt,
        messages: list[dict[str, Any]],
        first: int,
        count: int,
        logprobs: bool,
        stop: threading.Event,
    ) -> dict[str, Any]:
        sampling = prompt.sampling
        body: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        if count > 1:
            body["n"] = count
        if self.send_seed:
            body["seed"] = prompt.seed if first == 0 else _later_seed(prompt.seed, first)
        if logprobs:
            body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        limit_name = self._learned.limit_name
        try:
            return self._client.complete({**body, limit_name: sampling.max_tokens}, stop)
        except RequestFailed as error:
            if limit_name == NEWER_LIMIT_NAME or NEWER_LIMIT_NAME not in str(error):
                raise
            self._learned.limit_name = NEWER_LIMIT_NAME
            return self._client.complete({**body, NEWER_LIMIT_NAME: sampling.max_tokens}, stop)

    def _read(self, reply: Mapping[str, Any]) -> list[Generation]:
        usage = token_counts(reply)
        with self._learned.lock:
            self._learned.used.update({"requests": 1, **usage})
        return generations(reply, usage.get("completion_tokens"))

    @cached_property
    def _learned(self) -> _Learned:
        return _Learned()

    @cached_property
    def _client(self) -> ChatClient:
        self._learned  # noqa: B018  (made before threads are)
        url, key = self.revision(), os.environ.get(self.api_key_env)
        if not key and url.startswith(OPENAI_URL):
            raise ConfigError(
                f"no key: set the environment variable {self.api_key_env}, or name another by api_key_env"
            )
        return ChatClient(url, key, self.api_key_env, self.timeout_s, self.retries)


def _later_seed(seed: int, number: int) -> int:
    """A seed for a sample that isn't its prompt's first, in 31 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4]) >> 1
