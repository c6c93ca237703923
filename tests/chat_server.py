"""A small server that speaks the chat-completions protocol, answers as a test tells it, and remembers what it saw."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What to send: a body (a dict as JSON, bytes as they are), its status and headers; or whatever `send` sends."""

    body: dict[str, Any] | bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    send: Callable[[BaseHTTPRequestHandler], None] | None = None


Rule = Callable[[dict[str, Any], int], Answer]
"""The request's body and the number of requests before it, to the answer."""


@dataclass
class Server:
    """A running server: its address, the bodies and keys it got, and how many requests ran at once at most."""

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0


def completion(*texts: str, finish: str = "stop", logprobs: dict[str, float] | None = None) -> Answer:
    """A reply with one sample per text; 10 prompt tokens, and a completion token per character."""
    choice_logprobs = None
    if logprobs is not None:
        top = [{"token": token, "logprob": value} for token, value in logprobs.items()]
        choice_logprobs = {"content": [{"token": "x", "logprob": 0.0, "top_logprobs": top}]}
    choices = [
        {
            "index": k,
            "finish_reason": finish,
            "message": {"role": "assistant", "content": text},
            "logprobs": choice_logprobs,
        }
        for k, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 10, "completion_tokens": sum(map(len, texts)), "total_tokens": 0}
    return Answer({"id": "1", "object": "chat.completion", "created": 0, "choices": choices, "usage": usage})


def refusal(status: int, message: str, **headers: str) -> Answer:
    """An error in the protocol's form."""
    return Answer({"error": {"message": message, "code": None}}, status, headers)


def text_of(body: dict[str, Any]) -> str:
    """All text of a request, in order."""
    parts: list[str] = []
    for message in body["messages"]:
        content: str | Sequence[dict[str, Any]] = message["content"]
        parts += [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return "\n".join(parts)


@contextmanager
def chat_server(rule: Rule, seconds: float = 0.0) -> Iterator[Server]:
    """Serve on a free loopback port, `seconds` per request."""
    server = Server("")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(server.bodies)
                server.bodies.append(body)
                server.keys.append(self.headers["Authorization"])
                server.times.append(time.monotonic())
                server.at_once += 1
                server.most_at_once = max(server.most_at_once, server.at_once)
            time.sleep(seconds)
            answer = rule(body, number)
            with lock:
                server.at_once -= 1
            if answer.send is not None:
                self.close_connection = True
                with suppress(OSError):  # the client has left
                    answer.send(self)
                return
            data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
