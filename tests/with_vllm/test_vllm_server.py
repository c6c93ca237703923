"""A real vLLM server: step scores by its log-probabilities, and samples by the OpenAI-compatible backend."""

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

import pytest
from PIL import Image
from scoring_tiny import SIDE
from tiny_for_vllm import write_chat_checkpoint

from vpbench.generate.generator import load_generator
from vpbench.models.vllm_start import CPU_ENVIRONMENT
from vpbench.prompts import Message, Prompt, Sampling
from vpbench.scoring import load_step_scorer
from vpbench.scoring.step_scorer import StepScores
from vpbench.scoring.vllm_server import load_server_step_scorer

START_S = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    write_chat_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--served-model-name", "critic", "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    command += ["--enforce-eager", "--max-model-len", "4096", "--limit-mm-per-prompt", '{"image": 2, "video": 0}']
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env={**CPU_ENVIRONMENT, **os.environ})
    try:
        deadline = time.monotonic() + START_S
        while not healthy(f"http://127.0.0.1:{port}/health"):
            assert server.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(60)


def healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def test_step_scores_and_samples_of_a_server(folder: Path, url: str) -> None:
    settings = {"dtype": "float32", "device": "cpu", "system_message": "System."}
    reference = load_step_scorer(str(folder), **settings)
    served = load_server_step_scorer(str(folder), url, "critic", system_message="System.")
    solutions = [["one", "two three", "four"], ["one", "five"]]
    for images in ([Image.radial_gradient("L").resize((SIDE, SIDE))], []):
        found, expected = (scorer.score("Q", solutions, *scorer.tiles(images, 6)) for scorer in (served, reference))
        for ours, theirs in zip(found, expected, strict=True):
            assert isinstance(ours, StepScores)
            assert isinstance(theirs, StepScores)
            assert ours.scores == pytest.approx(theirs.scores, abs=1e-4)
    prompt = Prompt((Message("user", "Q?"),), Sampling(temperature=0, max_tokens=8))
    ((_, ours),) = load_generator("openai:critic", {"base_url": url}).generate([prompt])
    ((_, theirs),) = load_generator(str(folder), {"dtype": "float32", "device": "cpu"}).generate([prompt])
    ours_text, theirs_text = (each.text.rstrip("\ufffd") for each in (ours, theirs))
    assert (ours_text, ours.finish_reason, ours.tokens) == (theirs_text, theirs.finish_reason, theirs.tokens)
