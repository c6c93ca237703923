"""A site on this machine alone: files of one folder, to be read, on loopback.

A page of somebody else's can point a name of its own at 127.0.0.1 and have a browser read what is here, so a request
has to be for this machine by name. While the server runs, every page also looks every few seconds whether the site was
built anew.
"""

from __future__ import annotations

import io
import json
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

HOST = "127.0.0.1"
_NAMES = {HOST, "localhost"}
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_POLICY = "; ".join(
    (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:",
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
)
LIVE, STAMP = "/live.js", "/stamp.js"
_LIVE_TAG = f'<script src="{LIVE}" defer></script>\n</body>'.encode()


class SiteServer(ThreadingHTTPServer):
    """Serves the folder `site`; `stamp` is what its pages compare, to be changed when the site was built anew."""

    daemon_threads = True

    def __init__(self, site: Path, port: int) -> None:
        self.site, self.stamp = site.resolve(), ""
        super().__init__((HOST, port), _Handler)

    @property
    def url(self) -> str:
        """The address of the overview."""
        return f"http://{HOST}:{self.server_address[1]}/"


class _Handler(SimpleHTTPRequestHandler):
    server: SiteServer

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        """Answer with a file of the site, or with why there is none."""
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in _NAMES:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "this server is for this machine alone")
            return None
        path = unquote(urlsplit(self.path).path)
        if path == STAMP:
            return self._answer(f"vpbenchStamp({json.dumps(self.server.stamp)})\n".encode(), ".js")
        if path == LIVE:
            return self._answer((Path(__file__).parent / "live.js").read_bytes(), ".js")
        try:
            file = (self.server.site / path.lstrip("/")).resolve()
            file = file / "index.html" if file == self.server.site else file
            content = file.read_bytes() if file.is_relative_to(self.server.site) and file.is_file() else None
        except (OSError, ValueError):  # a name that no file can have, or one that was just taken away
            content = None
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND, "no such page")
            return None
        if file.suffix == ".html":
            content = content.replace(b"</body>", _LIVE_TAG, 1)
        return self._answer(content, file.suffix)

    def _answer(self, content: bytes, suffix: str) -> io.BytesIO:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _TYPES.get(suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return io.BytesIO(content)

    def end_headers(self) -> None:
        """Nothing is guessed, framed, kept or told to others."""
        for name, value in (
            ("Content-Security-Policy", _POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests aren't logged: the terminal is for the run's own words."""
