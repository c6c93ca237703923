"""Whole runs of the command line as tests make them: small pools, and a critic that counts its calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from vpbench.cli import main

CRITIC = """
import os, signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from vpbench import Critic, CriticError, DataError, Score

@dataclass(frozen=True)
class Counting(Critic):
    name: ClassVar[str] = "counting"
    title: ClassVar[str] = "Counts its calls in a file, and dies or fails when told to"
    log: str = ""

    def score(self, question, candidates):
        with open(self.log, "a") as log:
            log.write(question.id + " " + " ".join(str(c.index) for c in candidates) + "\\n")
        calls = len(Path(self.log).read_text().splitlines())
        if os.environ.get("DIE_AT") == str(calls):
            os.kill(os.getpid(), signal.SIGKILL)
        if os.environ.get("FAIL") == question.id:
            raise DataError("no picture here")
        refused = Score(None, None, "empty response")
        scores = [Score(len(c.response) / 7 + c.index / 3, (0.5, c.index / 3)) for c in candidates]
        return [score if c.response else refused for c, score in zip(candidates, scores)]
"""


def vpbench(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment, catch_exceptions=False)


def results(output: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((output / "results").glob("*/result.json"))]


def write_edited(folder: Path, result: dict[str, Any]) -> None:
    """Write what was edited as a result of an earlier version, which has no checksums."""
    kept = {name: value for name, value in result.items() if name not in ("sha256", "files")}
    (folder / "result.json").write_text(json.dumps(kept))


def pool_file(tmp_path: Path, *lines: dict[str, Any], name: str = "pool.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(id: str, *responses: str, **extra: Any) -> dict[str, Any]:
    question = {"question_id": id, "question": "How many?", "answer": "4", "answer_type": "integer"}
    return {**question, "candidates": [{"response": response} for response in responses], **extra}


FEW = ("--nano", "--task", "mathvista", "--limit", 2, "--resamples", 100)
