"""Ways in which a server fails for a while, and a rule that puts some of them among good answers."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import socket
import struct
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler
from typing import Any

from chat_server import Answer, Rule, completion, refusal

SLOW_S = 0.6
"""Longer than a client in these tests waits for a reply."""


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def _drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(int(SLOW_S / 0.05)):
        handler.wfile.write(b" ")
        time.sleep(0.05)


def _drip_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response_only(200)
    handler.flush_headers()
    for number in range(int(SLOW_S / 0.05)):
        handler.wfile.write(f"X-{number}: x\r\n".encode())
        time.sleep(0.05)


def _silence(_: BaseHTTPRequestHandler) -> None:
    time.sleep(SLOW_S)


WHOLE = json.dumps(completion("never seen").body).encode()
NULL_CONTENT = {"choices": [{"message": {"role": "assistant", "content": None}, "finish_reason": "stop"}]}
NO_TOKENS = {**NULL_CONTENT, "usage": {"prompt_tokens": 5, "completion_tokens": 0}}
GZIP = {"Content-Encoding": "gzip"}

FAULTS: dict[str, Answer] = {
    "timeout": Answer(b"", send=_silence),
    "reset": Answer(b"", send=_reset),
    "429": refusal(429, "slow down"),
    "429 and Retry-After": refusal(429, "slow down", **{"Retry-After": "0.01"}),
    "500": refusal(500, "internal error"),
    "502 as HTML": Answer(b"<html><h1>Bad Gateway</h1></html>", 502, {"Content-Type": "text/html"}),
    "503": refusal(503, "overloaded", **{"Retry-After": "soon"}),
    "empty body": Answer(b""),
    "truncated JSON": Answer(WHOLE[:-20]),
    "no choices": Answer({"choices": [], "usage": None}),
    "null content": Answer(NULL_CONTENT),
    "no tokens": Answer({**NO_TOKENS, "choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}),
    "error in 200": Answer({"error": {"message": "upstream is busy", "code": 502}}),
    "HTML in 200": Answer(b"<html>please log in</html>", 200, {"Content-Type": "text/html"}),
    "gzip garbage": Answer(b"\x1f\x8b garbage", 200, GZIP),
    "gzip cut short": Answer(gzip.compress(WHOLE)[:-12], 200, GZIP),
    "slow drip": Answer(b"", send=_drip),
    "slow headers": Answer(b"", send=_drip_headers),
    "oversized": Answer(gzip.compress(b" " * 2**18), 200, GZIP),
}


SHORT = "short n"


def fails_often(good: Rule, faults: Counter[str], share: float = 0.3) -> Rule:
    """Answers as `good` does, but for a `share` of requests: there one kind after the other, counted in `faults`."""
    turns = itertools.cycle([*FAULTS, SHORT])
    chance = random.Random(0)

    def rule(body: dict[str, Any], number: int) -> Answer:
        if chance.random() >= share:
            return good(body, number)
        kind = next(turns)
        if kind != SHORT:
            faults[kind] += 1
            return FAULTS[kind]
        answer = good(body, number)
        assert isinstance(answer.body, dict)
        if len(answer.body["choices"]) > 1:
            faults[kind] += 1
            answer.body["choices"].pop()
        return answer

    return rule
