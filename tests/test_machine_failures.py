"""What the machine does to a command: a full disk, no memory, signals. One line, the exit code, and nothing lost."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from small_runs import CRITIC, FEW

from vpbench.cli import main
from vpbench.errors import VpbenchError, machine_failure
from vpbench.store import write_atomic, writing

KEPT = "what is done is kept, the same command goes on"


class SafetensorError(Exception):
    """Named as the one of safetensors, which can't be made by hand."""


class OutOfMemoryError(RuntimeError):
    """Named as torch's for a GPU."""


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), f"/x/y: No space left on device; {KEPT}", 2),
        (OSError(errno.ESTALE, "Stale file handle", "a", None, "b"), f"b: Stale file handle; {KEPT}", 2),
        (OSError(errno.EROFS, "Read-only file system"), f"Read-only file system; {KEPT}", 2),
        (OSError("no words\n"), f"no words; {KEPT}", 2),
        (MemoryError(), f"out of memory; free some, or give smaller batches; {KEPT}", 2),
        (OutOfMemoryError("CUDA ..."), f"out of memory; free some, or give smaller batches; {KEPT}", 2),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
            f"out of memory; free some, or give smaller batches; {KEPT}",
            2,
        ),
        (KeyboardInterrupt(), f"stopped; {KEPT}", 130),
        (VpbenchError("wrong\x1b"), "wrong�", 2),
    ],
)
def test_what_ends_a_command_is_one_line_and_a_code(
    error: BaseException, message: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = raising("list", error, monkeypatch)
    assert (result.output, result.exit_code) == (f"vpbench: {message}\n", code)


@pytest.mark.parametrize(("command", "code"), [("list", 1), ("check", 2)])
@pytest.mark.parametrize("error", [KeyError("critic"), RecursionError("deep\ndown"), AssertionError()])
def test_a_fault_of_ours_is_one_line_and_never_says_regressed(
    command: str, code: int, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = raising(command, error, monkeypatch)
    assert result.exit_code == code
    assert result.output.startswith(f"vpbench: unexpected {type(error).__name__}: ")
    assert "(test_machine_failures.py line" in result.output and "-v shows the traceback" in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [BrokenPipeError(errno.EPIPE, "Broken pipe"), MemoryError(), OSError(errno.EIO, "Input/output error", "u.parquet")],
)
def test_check_that_is_stopped_by_the_machine_exits_2(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    assert raising("check", error, monkeypatch).exit_code == 2


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/events"), "/x/events: No space left on device"),
        (ValueError("odd\ndown\x1b"), "ValueError: odd down� (test_machine_failures.py line"),
    ],
)
def test_a_thread_of_a_library_that_fails_is_one_line_and_hides_no_result(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As TensorBoard's writer does on a full disk."""

    def fail() -> None:
        raise error

    def work(**_: object) -> None:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    before = threading.excepthook
    monkeypatch.setattr(main.commands["list"], "callback", work)
    result = CliRunner().invoke(main, ["list"])
    assert result.exit_code == 0
    assert result.output.startswith(f"vpbench: {message}") and result.output.endswith("(in a thread)\n")
    assert result.output.count("\n") == 1
    assert threading.excepthook is before


def test_an_interrupt_that_falls_into_a_finaliser_still_stops_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def work(**_: object) -> None:
        Finalised()
        threading.Event().wait(60)

    before = sys.unraisablehook
    monkeypatch.setattr(main.commands["list"], "callback", work)
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)  # in a background shell it is ignored
    try:
        result = CliRunner().invoke(main, ["list"])
    finally:
        signal.signal(signal.SIGINT, ignored)
    assert (result.output, result.exit_code) == (f"vpbench: stopped; {KEPT}\n", 130)
    assert sys.unraisablehook is before


def raising(command: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> click.testing.Result:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(main.commands[command], "callback", fail)
    arguments = {"check": ["check", "a", "b"], "list": ["list"]}[command]
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (SafetensorError("Error while serializing: I/O error\n(os error 28)"), "Error while serializing: I/O error"),
        (RuntimeError("[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed"), "[enforce fail at"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"), "[enforce fail at"),
    ],
)
def test_failures_to_write_name_a_file_whoever_wrote(error: Exception, reason: str, tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, writing(tmp_path / "model"):
        raise error
    assert str(machine_failure(caught.value)).startswith(f"{tmp_path / 'model'}: {reason}")
    assert "\n" not in str(machine_failure(caught.value))


def test_other_errors_while_writing_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes"), writing(tmp_path):
        raise RuntimeError("shapes differ")
    with pytest.raises(FileNotFoundError) as caught, writing(tmp_path):
        (tmp_path / "image.png").read_bytes()
    assert caught.value.filename == str(tmp_path / "image.png")


@pytest.mark.parametrize("name", ["fsync", "replace", "open"])
def test_an_atomic_write_that_fails_names_its_file_not_the_temporary_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", *(map(str, arguments) if name != "fsync" else ()))

    write_atomic(tmp_path / "x.json", b"old")
    monkeypatch.setattr(*((os, name) if name == "fsync" else (Path, name)), fail)
    with pytest.raises(OSError, match="No space") as caught:
        write_atomic(tmp_path / "x.json", b"new")
    monkeypatch.undo()
    assert machine_failure(caught.value) == f"{tmp_path / 'x.json'}: No space left on device"
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x.json", b"old")]


def limited(size: int) -> Callable[[], None]:
    """For a child process: no file may be longer than `size` bytes, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


RUN = [*map(str, FEW), "--critic", "visualprm,self-consistency", "--n", "1,2"]
VERBS = {
    "run": ["run", *RUN],
    "sample": ["sample", "--nano", "--task", "mathvista", "--policy", "nano", "--samples", "8", "--limit", "3"],
}


def vpbench(folder: Path, arguments: list[str], size: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vpbench", *arguments, "--output", "runs"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=None if size is None else limited(size),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "sizes"), [("run", (0, 700, 4_000)), ("sample", (0, 400))])
def test_a_disk_that_is_full_costs_one_line_and_no_row(verb: str, sizes: tuple[int, ...], tmp_path: Path) -> None:
    for size in sizes:
        stopped = vpbench(tmp_path, VERBS[verb], size)
        assert stopped.returncode == 2, stopped.stderr
        assert stopped.stderr.splitlines()[-1].startswith("vpbench: runs")
        assert stopped.stderr.splitlines()[-1].endswith(f": File too large; {KEPT}")
        assert "Traceback" not in stopped.stderr
        assert not list(tmp_path.rglob("*.tmp"))
    (tmp_path / "whole").mkdir()
    for folder in (tmp_path, tmp_path / "whole"):
        assert vpbench(folder, VERBS[verb]).returncode == 0
    assert rows(tmp_path) == rows(tmp_path / "whole")


def rows(folder: Path) -> dict[str, list[str]]:
    """Every kept row of every folder, as often as it is kept."""
    import pyarrow.parquet as pq

    kept: dict[str, list[str]] = {}
    for path in (folder / "runs").rglob("*.parquet"):
        kept.setdefault(path.parent.name, []).extend(map(str, pq.read_table(path).to_pylist()))
    return {name: sorted(lines) for name, lines in kept.items()}


STALL = '(print("stalled", flush=True), signal.pause())'


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_says_what_is_kept_and_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC.replace("os.kill(os.getpid(), signal.SIGKILL)", STALL))
    command = [
        sys.executable,
        "-m",
        "vpbench",
        "run",
        *map(str, FEW),
        "--critic",
        "critic.py",
        "--critic-args",
        "log=log",
    ]
    with subprocess.Popen(
        [*command, "--output", "runs"],
        cwd=tmp_path,
        env={**os.environ, "DIE_AT": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        while running.stdout.readline() not in ("stalled\n", ""):
            pass
        running.send_signal(number)
        message = running.stderr.read()
        assert running.wait() == 130, message
    assert message.splitlines()[-1] == f"vpbench: stopped; {KEPT}"
    assert "Traceback" not in message
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)
    again = subprocess.run([*command, "--output", "runs"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()] == ["1", "2", "2"]
