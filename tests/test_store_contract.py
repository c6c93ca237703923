"""What every store has to do, whatever keeps its bytes; a second member joins `MEMBERS`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vpbench.store
from vpbench.store import Store

MEMBERS = ["LocalStore"]


@pytest.fixture(params=MEMBERS)
def member(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(member: str, folder: Path) -> Store:
    store: Store = getattr(vpbench.store, member)(folder)
    return store


def test_what_was_never_written_is_not_there(member: str, tmp_path: Path) -> None:
    store = opened(member, tmp_path / "new")
    assert store.names() == []
    with pytest.raises(FileNotFoundError):
        store.read("a")


def test_appended_bytes_follow_each_other_and_another_object_reads_them(member: str, tmp_path: Path) -> None:
    store = opened(member, tmp_path)
    for data in (b"one\n", b"", b"\x00\xff\r\n"):
        store.append("a", data)
    assert opened(member, tmp_path).read("a") == b"one\n\x00\xff\r\n"


def test_replaced_bytes_are_the_new_ones_alone_and_can_be_appended_to(member: str, tmp_path: Path) -> None:
    store = opened(member, tmp_path)
    store.append("a", b"a long beginning")
    store.replace("a", b"new")
    store.append("a", b"er")
    store.replace("b", b"")
    assert [store.read(name) for name in ("a", "b")] == [b"newer", b""]
    assert store.names() == ["a", "b"]


WRITER = """
import sys
from pathlib import Path
import vpbench.store
store = getattr(vpbench.store, sys.argv[1])(Path(sys.argv[2]))
print("begun", flush=True)
number = 0
while True:
    number += 1
    store.replace("a", bytes([65 + number % 26]) * 300_000)
"""


def test_a_kill_leaves_the_old_or_the_new_and_no_other_name(member: str, tmp_path: Path) -> None:
    store = opened(member, tmp_path)
    for reads in range(1, 6):
        with subprocess.Popen([sys.executable, "-c", WRITER, member, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"begun\n"
            while "a" not in store.names():
                pass
            for _ in range(reads * 10):
                data = store.read("a")
                assert len(data) == 300_000 and len(set(data)) == 1
            writer.kill()
        data = store.read("a")
        assert len(data) == 300_000 and len(set(data)) == 1
        assert store.names() == ["a"]
    with store.lease("lock"):
        assert {path.name for path in tmp_path.iterdir()} <= {"a", "lock"}


HOLDER = """
import sys
from pathlib import Path
import vpbench.store
store = getattr(vpbench.store, sys.argv[1])(Path(sys.argv[2]))
with store.lease("lock"):
    store.append("log", b"in ")
    print("held", flush=True)
    sys.stdin.read()
    store.append("log", b"out ")
"""


def holder(member: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HOLDER, member, str(folder)]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background job, as tests may be, ignores Ctrl-C, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_a_lease_is_waited_for_and_said_so_once(member: str, tmp_path: Path) -> None:
    with holder(member, tmp_path) as first:
        assert first.stdin is not None and first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with holder(member, tmp_path) as second:
            assert second.stdin is not None and second.stderr is not None
            assert second.stderr.readline() == f"waiting for another run that writes {tmp_path}\n".encode()
            assert opened(member, tmp_path).read("log") == b"in "
            first.stdin.close()
            second.stdin.close()
            assert second.stderr.read() == b""
            assert second.wait() == 0
    assert opened(member, tmp_path).read("log") == b"in out in out "


def test_the_lease_of_a_killed_process_is_free_at_once(
    member: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with holder(member, tmp_path) as first:
        assert first.stdout is not None and first.stdout.readline() == b"held\n"
        first.send_signal(signal.SIGKILL)
    with opened(member, tmp_path).lease("lock"):
        assert capfd.readouterr().err == ""


def test_waiting_for_a_lease_ends_by_ctrl_c(member: str, tmp_path: Path) -> None:
    with holder(member, tmp_path) as first:
        assert first.stdin is not None and first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with holder(member, tmp_path) as second:
            assert second.stderr is not None and second.stderr.readline().startswith(b"waiting")
            second.send_signal(signal.SIGINT)
            assert b"KeyboardInterrupt" in second.stderr.read()
        first.stdin.close()
        assert first.wait() == 0
    assert opened(member, tmp_path).read("log") == b"in out "
