"""What can generate text: a policy that answers questions, a judge that reads answers.

A backend (transformers, vLLM, an OpenAI-compatible endpoint) is a dataclass whose fields are its settings and which
implements `Generator`; `load_generator` makes one from `BACKEND:MODEL`, as the command line writes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any, ClassVar, Literal

from vpbench.plugins import parse_settings
from vpbench.records import ImageRef

BACKENDS = {
    "transformers": "vpbench.generate.transformers_model:TransformersModel",
    "vllm": "vpbench.generate.vllm_model:VllmModel",
    "openai": "vpbench.generate.openai_endpoint:OpenAIEndpoint",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; its images come before its text.

    Where the last message is the assistant's, the model continues it: `Generation.text` is what comes after.
    """

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[ImageRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw; temperature 0 is greedy. The defaults are those of the VisualPRM paper (arXiv 2503.10291)."""

    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 4096


@dataclass(frozen=True, slots=True)
class Prompt:
    """`count` samples wanted of one conversation; equal prompts with other seeds give other samples.

    `first_token_logprobs` asks for `Generation.first_token_logprobs`; a backend that can't give them leaves them out.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    count: int = 1
    seed: int = 0
    first_token_logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """One sample. `finish_reason` is "stop" or "length" (None: not told), `tokens` those generated.

    `first_token_logprobs` maps the likeliest first tokens' texts to their natural log-probabilities, where the backend
    gives them. `error` is why there is no text (it is empty then).
    """

    text: str
    finish_reason: str | None = None
    tokens: int | None = None
    first_token_logprobs: Mapping[str, float] | None = None
    error: str | None = None


class Generator(ABC):
    """A backend with a model. Subclasses are frozen dataclasses; their fields, `model` first, are their settings."""

    backend: ClassVar[str]

    @abstractmethod
    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        """Every sample of every prompt as it finishes, with its prompt's position; in no particular order.

        What goes wrong with one prompt (a broken image, a refused request) comes as `Generation.error`; raises
        `ConfigError` where nothing can work (no such model, a missing extra, a refused key).
        """

    def prepare(self) -> None:  # noqa: B027
        """Make ready: load the model, if it isn't loaded. Called before `generate`; raises `ConfigError`."""

    def revision(self) -> str:
        """What identifies the model beyond the settings: a checkpoint's fingerprint, say."""
        return ""

    def identity(self) -> dict[str, Any]:
        """What determines the samples: backend, revision and every setting that dataclass comparison looks at.

        A setting that changes no sample (how many requests at once, say) is a field with `compare=False`.
        """
        compared = [each.name for each in fields(self) if each.compare]  # type: ignore[arg-type]
        settings = {name: getattr(self, name) for name in compared}
        return {"backend": self.backend, "revision": self.revision(), **settings}

    def usage(self) -> Mapping[str, float]:
        """What was used so far: requests, prompt_tokens, completion_tokens, cost (US dollars), as far as known."""
        return {}


def used_since(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """What was used between two answers of one model's `usage`; what has not changed is left out."""
    return {name: number - before.get(name, 0) for name, number in now.items() if number != before.get(name)}


def load_generator(spec: str, settings: Mapping[str, str]) -> Generator:
    """The generator that `spec` names: "BACKEND:MODEL", or a folder or hub id for transformers.

    Raises `ConfigError` for an unknown setting or one that can't be read.
    """
    backend, sign, model = spec.partition(":")
    if not sign or backend not in BACKENDS:
        backend, model = "transformers", spec
    module, name = BACKENDS[backend].split(":")
    cls: type[Generator] = getattr(import_module(module), name)
    return parse_settings(cls, f"{backend} model", {**settings, "model": model})
