"""Ctrl-C and SIGTERM while requests are in flight end a run at once, and what was answered is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chat_server import Answer, Server, chat_server, completion

from vpbench.endpoint.threads import RequestThreads

ANSWERED, AT_ONCE, QUESTIONS = 3, 4, 12
LONG_S = 300.0


@contextmanager
def stalling_server() -> Iterator[tuple[Server, threading.Event]]:
    """A server that answers the first requests, and the others when the event is set."""
    answers = threading.Event()

    def rule(_: dict[str, Any], number: int) -> Answer:
        if number >= ANSWERED:
            answers.wait(LONG_S)
        return completion("Answer: 1")

    with chat_server(rule) as server:
        try:
            yield server, answers
        finally:
            answers.set()


def command(folder: Path, server: Server, verb: str) -> list[str]:
    settings = f"base_url={server.url},concurrency={AT_ONCE}"
    asked = {
        "sample": ["--policy", "openai:m", "--policy-args", settings, "--samples", "1"],
        "run": [
            "--policy",
            "openai:m",
            "--policy-args",
            settings,
            "--samples",
            "1",
            "--critic",
            "self-consistency",
            "--resamples",
            "100",
        ],
    }
    return [
        sys.executable,
        "-m",
        "vpbench",
        verb,
        "--nano",
        "--task",
        "mathvista",
        "--limit",
        str(QUESTIONS),
        "--output",
        str(folder / "runs"),
        *asked[verb],
    ]


@pytest.mark.parametrize(
    ("verb", "number"), [("sample", signal.SIGINT), ("run", signal.SIGINT), ("run", signal.SIGTERM)]
)
def test_an_interrupted_run_waits_for_no_reply_and_keeps_those_that_came(
    tmp_path: Path, verb: str, number: signal.Signals
) -> None:
    environment = {**os.environ, "OPENAI_API_KEY": "none"}
    with stalling_server() as (server, answers):
        running = subprocess.Popen(
            command(tmp_path, server, verb),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            while len(server.bodies) < ANSWERED + AT_ONCE and running.poll() is None:
                time.sleep(0.01)
            running.send_signal(number)
            output = running.communicate(timeout=LONG_S / 5)[0].decode()
        finally:
            running.kill()
        assert running.returncode == 130, output
        assert output.splitlines()[-1] == "vpbench: stopped; what is done is kept, the same command goes on"
        assert "Traceback" not in output
        assert len(server.bodies) == ANSWERED + AT_ONCE
        answers.set()
        again = subprocess.run(command(tmp_path, server, verb), env=environment, capture_output=True, check=False)
        assert again.returncode == 0, again.stderr
        assert len(server.bodies) == ANSWERED + AT_ONCE + QUESTIONS - ANSWERED


def test_threads_are_left_to_themselves_by_an_exception_and_waited_for_without() -> None:
    go, begun, done = threading.Event(), threading.Semaphore(0), []

    def call(number: int) -> int:
        begun.release()
        go.wait(LONG_S)
        done.append(number)
        return number

    with pytest.raises(KeyboardInterrupt), RequestThreads(2) as threads:
        started = [threads.submit(call, number) for number in range(5)]
        begun.acquire()
        begun.acquire()
        raise KeyboardInterrupt
    assert not done
    assert [each.cancelled() for each in started] == [False, False, True, True, True]
    go.set()
    assert sorted(each.result(LONG_S) for each in started[:2]) == [0, 1]
    with RequestThreads(2) as threads:
        later = [threads.submit(call, number) for number in range(10, 15)]
    assert all(each.done() for each in later)
    assert sorted(done) == [0, 1, *range(10, 15)]


@pytest.mark.parametrize("used", [False, True])
def test_no_call_is_taken_once_the_threads_are_shut_down(used: bool) -> None:
    with RequestThreads(2) as threads:
        if used:
            assert threads.submit(int, "1").result(LONG_S) == 1
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(int, "1")


def test_never_more_calls_run_than_allowed_and_their_errors_come_back() -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def call(number: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.005)
        with lock:
            running[0] -= 1
        if number == 7:
            raise ValueError("seven")
        return number

    with RequestThreads(3) as threads:
        asked = [threads.submit(call, number) for number in range(12)]
    assert 1 < most[0] <= 3
    with pytest.raises(ValueError, match="seven"):
        asked[7].result()
    assert [each.result() for each in asked if each is not asked[7]] == [n for n in range(12) if n != 7]
