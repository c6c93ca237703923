"""A policy for tests: logs every draw it makes, and dies or fails when the environment says so."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vpbench.generate import Generation, Generator, Prompt


@dataclass(frozen=True)
class FakePolicy(Generator):
    """Response "seed/number"; `log` names a file with a line per draw: image name, temperature, seed, number."""

    backend: ClassVar[str] = "fake"

    model: str = ""
    log: str = ""

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        for position, prompt in enumerate(prompts):
            name = prompt.messages[0].images[0].name
            for number in range(prompt.count):
                drawn = len(Path(self.log).read_text().splitlines()) if Path(self.log).exists() else 0
                if os.environ.get("DIE_AT") == str(drawn):
                    os.kill(os.getpid(), signal.SIGKILL)
                with Path(self.log).open("a") as log:
                    log.write(f"{name}\t{prompt.sampling.temperature}\t{prompt.seed}\t{number}\n")
                if os.environ.get("HOLD_BACK") == str(number):
                    return
                if os.environ.get("FAIL_AT") in (str(number), "all"):
                    yield position, Generation("", error="out of paper")
                else:
                    text = f"Steps.\n\nAnswer: {prompt.seed}/{number}"
                    yield position, Generation(text, "length" if number % 2 else "stop", 5)
