"""`vpbench view`: the leaderboard's pages on this machine, built anew as results come in."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable
from html import escape
from pathlib import Path

from vpbench.errors import ConfigError
from vpbench.site.leaderboard import build_leaderboard
from vpbench.site.server import SiteServer
from vpbench.store import key_hash, write_atomic
from vpbench.terminal import echo

_SECONDS = 2.0
_WAITING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>vpbench</title></head>
<body><h1>No results yet</h1><p>{runs} holds none. This page shows the first as soon as it is there.</p></body></html>
"""


def view_runs(runs: Path, port: int, browser: bool, until: Callable[[], bool] = lambda: False) -> None:
    """Serve the pages over the results in `runs` until Ctrl-C, or until `until` says so.

    Raises `ConfigError` if there is no such folder, or if the port is taken.
    """
    if not runs.is_dir():
        raise ConfigError(f"{runs}: no such folder; give the one that `vpbench run --output` writes")
    with tempfile.TemporaryDirectory(prefix="vpbench-view-") as folder:
        site = Path(folder)
        stamp = _stamp(runs)
        _build(runs, site)
        with _server(site, port) as server:
            server.stamp = stamp
            threading.Thread(target=server.serve_forever, daemon=True).start()
            echo(f"{runs} at {server.url} (Ctrl-C ends it)")
            if browser:
                webbrowser.open(server.url)
            try:
                while not until():
                    time.sleep(_SECONDS)
                    if (latest := _stamp(runs)) != server.stamp:
                        _build(runs, site)
                        server.stamp = latest
            except KeyboardInterrupt:
                echo("")
            finally:
                server.shutdown()


def _server(site: Path, port: int) -> SiteServer:
    try:
        return SiteServer(site, port)
    except OSError as error:
        raise ConfigError(f"--port {port}: can't be listened on ({error.strerror}); give another") from error


def _build(runs: Path, site: Path) -> None:
    """Build the site; where nothing can be shown yet, a page that says so."""
    try:
        build_leaderboard(runs, site)
    except ConfigError as error:
        echo(f"not shown yet: {error}", err=True)
        write_atomic(site / "index.html", _WAITING.format(runs=escape(runs.name)).encode())


def _stamp(runs: Path) -> str:
    """What changes when a result is written, replaced or removed."""
    times: dict[str, int] = {}
    for file in sorted((runs / "results").glob("*/result.json")):
        with contextlib.suppress(FileNotFoundError):  # taken away since it was listed
            times[str(file)] = file.stat().st_mtime_ns
    return key_hash(times)
