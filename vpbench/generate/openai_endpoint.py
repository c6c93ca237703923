"""Generation by any server that speaks the OpenAI chat-completions protocol: a commercial one, or one's own vLLM.

Requests run concurrently. Several samples of a prompt are one request where the server allows that, else one each;
images travel as data URLs. Tokens are counted as the server tells them, and priced where prices are given. Parameters
that the server refuses are left out, and the notes say so.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from vpbench.endpoint.acceptance import Acceptance, plain
from vpbench.endpoint.budget import Meter
from vpbench.endpoint.client import ChatClient, RequestFailed
from vpbench.endpoint.keys import API_KEY_ENV, check_address, check_model, check_variable, read_key
from vpbench.endpoint.messages import choices, generations, message_body, no_samples
from vpbench.endpoint.parameters import Parameters, omitted
from vpbench.endpoint.threads import RequestThreads
from vpbench.errors import BudgetSpent, ConfigError, DataError
from vpbench.generate.generator import Generator
from vpbench.prompts import Generation, Prompt

OPENAI_URL = "https://api.openai.com/v1"
LONGEST_TIMEOUT_S = 1e6


@dataclass(frozen=True)
class OpenAIEndpoint(Generator):
    """`model` on the server at `base_url` (None: OPENAI_BASE_URL, else OpenAI's own).

    The key is read from the environment variable `api_key_env`. A request is tried again up to `retries` times, each
    time for at most `timeout_s`. Prices are in US dollars per million tokens. Seeds go to the server by `send_seed`.
    `omit` names parameters that aren't sent, with "+" between them: temperature, top_p, max_tokens, n, seed, logprobs.
    """

    backend: ClassVar[str] = "openai"

    model: str
    base_url: str | None = None
    api_key_env: str = field(default=API_KEY_ENV, compare=False)
    concurrency: int = field(default=16, compare=False)
    retries: int = field(default=6, compare=False)
    timeout_s: float = field(default=600.0, compare=False)
    prompt_price: float | None = field(default=None, compare=False)
    completion_price: float | None = field(default=None, compare=False)
    send_seed: bool = False
    omit: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("openai model: no name; write openai:MODEL, as the server calls it")
        check_variable(self.api_key_env)
        key = read_key(self.api_key_env)
        check_model(self.model, key)
        check_address(self.revision(), key)
        if self.concurrency < 1 or self.retries < 0 or not 0 < self.timeout_s <= LONGEST_TIMEOUT_S:
            raise ConfigError(
                f"openai model: concurrency has to be at least 1, retries 0, timeout_s above 0 and at most "
                f"{LONGEST_TIMEOUT_S:g}"
            )
        if not all(0 <= (price or 0) < math.inf for price in (self.prompt_price, self.completion_price)):
            raise ConfigError("openai model: prices are US dollars per million tokens, at least 0")
        omitted(self.omit)

    def prepare(self) -> None:
        """Make the client. Raises `ConfigError` without key or package."""
        self._client.prepare()

    def revision(self) -> str:
        """The server's address."""
        return self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL

    def identity(self) -> dict[str, Any]:
        """As every generator's; with what is omitted, other than by how many samples are asked for at once."""
        names = sorted(omitted(self.omit) - {"n"})
        return {**super().identity(), **({"omit": "+".join(names)} if names else {})}

    def unsent(self) -> frozenset[str]:
        """See `Generator`."""
        return omitted(self.omit)

    def notes(self) -> list[str]:
        """Which parameters requests went without so far."""
        return self._parameters.notes(f"openai:{self.model}")

    def usage(self) -> Mapping[str, float]:
        """Requests answered, tokens as the server counts them, and their cost where both prices are given."""
        return self._meter.used()

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        """Every sample of every prompt as it arrives; whoever asks for no more waits for none in flight.

        Once the budget is spent what is in flight is waited for, then `BudgetSpent` is raised.
        """
        self.prepare()
        stop = threading.Event()
        work = deque((position, 0, prompt.count) for position, prompt in enumerate(prompts) if prompt.count)
        running: dict[Future[list[Generation]], tuple[int, int, int]] = {}
        spent: BudgetSpent | None = None
        with RequestThreads(self.concurrency) as pool:
            try:
                while work or running:
                    while work and len(running) < self.concurrency:
                        position, first, count = work.popleft()
                        if count > 1 and self._parameters.one_by_one:
                            work.extendleft([(position, first + k, 1) for k in reversed(range(count))])
                            continue
                        request = pool.submit(self._samples, prompts[position], first, count, stop)
                        running[request] = (position, first, count)
                    for request in wait(running, return_when=FIRST_COMPLETED).done:
                        position, first, count = running.pop(request)
                        try:
                            samples = request.result()
                        except BudgetSpent as error:
                            spent = error
                            continue
                        if len(samples) < count:
                            work.appendleft((position, first + len(samples), count - len(samples)))
                        for sample in samples:
                            yield position, sample
                    if spent is not None:
                        work.clear()
            finally:
                stop.set()
        if spent is not None:
            try:
                raise spent
            finally:
                del spent  # its traceback holds this frame: the two would keep the client in memory

    def _samples(self, prompt: Prompt, first: int, count: int, stop: threading.Event) -> list[Generation]:
        """At least one and at most `count` samples, the first of which is number `first` of the prompt."""
        try:
            reply = self._reply(prompt, self._wanted(prompt, first, count), stop)
        except (DataError, RequestFailed) as error:
            return [Generation("", error=str(error))] * count
        if count > 1:
            self._parameters.count_choices(len(choices(reply)))
        samples = generations(reply)[:count]
        shown, kept = self._client.shown, self._client.kept
        return [
            replace(sample, text=kept(sample.text), error=sample.error and shown(sample.error)) for sample in samples
        ]

    def _wanted(self, prompt: Prompt, first: int, count: int) -> dict[str, Any]:
        """The parameters of a request, as if the server took them all."""
        sampling = prompt.sampling
        wanted: dict[str, Any] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
        if count > 1:
            wanted["n"] = count
        if self.send_seed:
            wanted["seed"] = prompt.seed if first == 0 else _later_seed(prompt.seed, first)
        if prompt.first_token_logprobs:
            wanted["logprobs"] = True
        return wanted

    def _reply(self, prompt: Prompt, wanted: Mapping[str, Any], stop: threading.Event) -> dict[str, Any]:
        """The reply to the request as far as the server takes it. Raises as `ChatClient.complete` does.

        Raises `ConfigError` as well for a server that takes nothing.
        """
        messages = [message_body(message) for message in prompt.messages]

        def ask_plainly() -> object:
            plainly = plain(prompt)
            return self._reply(plainly, self._wanted(plainly, 0, 1), stop)

        failure: RequestFailed | None = None
        for attempt in self._parameters.attempts(wanted):
            while True:
                body = {"model": self.model, "messages": messages, **attempt.body()}
                try:
                    reply = self._client.complete(body, stop, no_samples)
                except RequestFailed as error:
                    # Gateways send a refusal as a failure of their own, which is tried again first.
                    if attempt.adapt(error.explanation):
                        continue
                    if not error.refused:
                        raise
                    self._acceptance.refused(prompt.messages, str(error), ask_plainly)
                    failure = failure or error
                    break
                self._acceptance.taken()
                self._parameters.learn(attempt)
                return reply
        raise failure or RequestFailed("nothing to ask")

    @cached_property
    def _parameters(self) -> Parameters:
        return Parameters(omitted(self.omit))

    @cached_property
    def _acceptance(self) -> Acceptance:
        return Acceptance()

    @cached_property
    def _meter(self) -> Meter:
        return Meter(self.prompt_price, self.completion_price)

    @cached_property
    def _client(self) -> ChatClient:
        self._parameters, self._acceptance  # noqa: B018  (made before threads are)
        url = self.revision()
        if url.startswith(OPENAI_URL) and read_key(self.api_key_env) is None:
            raise ConfigError(
                f"no key: set the environment variable {self.api_key_env}, or name another by api_key_env"
            )
        return ChatClient(url, self.api_key_env, self.timeout_s, self.retries, self._meter)


def _later_seed(seed: int, number: int) -> int:
    """A seed for a sample that isn't its prompt's first, in 31 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4]) >> 1
