"""`vpbench view`: files of the site alone, to this machine alone, and results as they come in."""

from __future__ import annotations

import http.client
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import vpbench
from vpbench import ConfigError
from vpbench.commands import view
from vpbench.site.server import SiteServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SiteServer]:
    site = tmp_path / "site"
    (site / "data").mkdir(parents=True)
    (site / "index.html").write_text("<html><body>overview</body></html>")
    (site / "data" / "a.js").write_text("a()")
    (tmp_path / "secret.txt").write_text("secret")
    (site / "link.txt").symlink_to(tmp_path / "secret.txt")
    with SiteServer(site, 0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving
        serving.shutdown()


def ask(
    server: SiteServer, path: str, host: str | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{server.server_address[1]}")
    connection.endheaders()
    response = connection.getresponse()
    return response.status, dict(response.getheaders()), response.read()


@pytest.mark.parametrize("path", ["/", "/index.html", "/index.html?x=1"])
def test_the_overview_is_served_and_looks_for_new_results(path: str, server: SiteServer) -> None:
    status, headers, content = ask(server, path)
    assert status == 200
    assert content == b'<html><body>overview<script src="/live.js" defer></script>\n</body></html>'
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_data_has_its_type_and_the_stamp_is_the_present_one(server: SiteServer) -> None:
    status, headers, content = ask(server, "/data/a.js")
    assert (status, headers["Content-Type"], content) == (200, "text/javascript; charset=utf-8", b"a()")
    server.stamp = "now"
    assert ask(server, "/stamp.js?3")[2] == b'vpbenchStamp("now")\n'
    assert b"vpbenchStamp" in ask(server, "/live.js")[2]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "//secret.txt",
        "/data",
        "/data/",
        "/link.txt",
        "/gone",
        "/%00",
        "/a%0d%0ab",
    ],
)
def test_nothing_outside_of_the_site_and_no_listing(path: str, server: SiteServer) -> None:
    status, _, content = ask(server, path)
    assert status == 404
    assert b"secret\n" not in content and b"a.js" not in content


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_request_by_another_name_is_refused(host: str, server: SiteServer) -> None:
    assert ask(server, "/", host)[0] == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1"])
def test_names_of_this_machine_are_served_whatever_port_leads_here(host: str, server: SiteServer) -> None:
    assert ask(server, "/", host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_can_only_be_read(method: str, server: SiteServer) -> None:
    assert ask(server, "/", method=method)[0] == 501


def test_results_are_shown_as_they_come_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, runs, stamps = tmp_path / "made", tmp_path / "runs", list[str]()
    pages: list[str] = []
    vpbench.run(["mathvista"], ["self-consistency"], nano=True, limit=2, resamples=100, output=made)
    runs.mkdir()
    monkeypatch.setattr(view, "_SECONDS", 0.01)
    kept = Kept(SiteServer)
    monkeypatch.setattr(view, "SiteServer", kept)

    def until() -> bool:
        [server] = kept.servers
        stamps.append(server.stamp)
        pages.append((server.site / "index.html").read_text())
        if len(stamps) == 1:
            shutil.copytree(made, runs, dirs_exist_ok=True)
        return len(set(stamps)) == 2

    view.view_runs(runs, 0, browser=False, until=until)
    assert "No results yet" in pages[0] and "self-consistency" in pages[-1]
    assert "http://127.0.0.1:" in capsys.readouterr().out
    assert not kept.servers[0].site.exists()


class Kept:
    """Makes servers of a class and keeps them."""

    def __init__(self, cls: type[SiteServer]) -> None:
        self._cls = cls
        self.servers: list[SiteServer] = []

    def __call__(self, site: Path, port: int) -> SiteServer:
        self.servers.append(self._cls(site, port))
        return self.servers[-1]


def test_no_folder_and_a_port_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        view.view_runs(tmp_path / "gone", 0, browser=False)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="give another"):
        view.view_runs(tmp_path, taken.getsockname()[1], browser=False)
