"""What can generate text: a policy that answers questions, a judge that reads answers.

A backend (transformers, vLLM, an OpenAI-compatible endpoint) is a dataclass whose fields are its settings and which
implements `Generator`; `load_generator` makes one from `BACKEND:MODEL`, as the command line writes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

from vpbench.prompts import Generation, Prompt
from vpbench.settings import identity_settings, parse_settings

FIRST_TOKENS = 20
"""Of how many of the likeliest first tokens a local backend gives the log-probabilities."""

BACKENDS = {
    "transformers": "vpbench.generate.transformers_model:TransformersModel",
    "vllm": "vpbench.generate.vllm_model:VllmModel",
    "openai": "vpbench.generate.openai_endpoint:OpenAIEndpoint",
}


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
        """What determines the samples: backend, revision and settings."""
        return {"backend": self.backend, "revision": self.revision(), **identity_settings(self)}

    def unsent(self) -> frozenset[str]:
        """Names of `Sampling` that the settings keep from the model, which draws by its own."""
        return frozenset()

    def notes(self) -> list[str]:
        """What a reader of the samples so far has to know of how they were drawn: not as asked for, say."""
        return []

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
