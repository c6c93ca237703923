"""The chat-completions protocol's forms: a message as a request carries it, samples as a reply holds them.

A reply is read as whatever JSON it is, since servers differ in what they leave out.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vpbench.images import encode, png
from vpbench.prompts import Generation, Message
from vpbench.records import ImageRef

if TYPE_CHECKING:
    from PIL.Image import Image


def message_body(message: Message) -> dict[str, Any]:
    """The message with its images as data URLs before its text, lone surrogates as "?".

    Raises `DataError` for an image that can't be read.
    """
    text = message.text.encode("utf-8", "replace").decode()
    if not message.images:
        return {"role": message.role, "content": text}
    images = [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in message.images]
    return {"role": message.role, "content": [*images, {"type": "text", "text": text}]}


def data_url(image: ImageRef) -> str:
    """The image as critics see it: PNG and JPEG as they are where every reader shows that, else PNG.

    Raises `DataError` for an image that can't be read.
    """
    return _data_url(*encode(image.read(), image.name))


def png_url(image: Image) -> str:
    """A decoded image as PNG, in RGB."""
    return _data_url("png", png(image))


def _data_url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def token_counts(reply: Mapping[str, Any]) -> dict[str, int]:
    """The reply's `prompt_tokens` and `completion_tokens`, all its samples together."""
    usage = reply.get("usage")
    if not isinstance(usage, Mapping):
        return {}
    counts = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
    return {name: count for name, count in counts.items() if isinstance(count, int)}


def generations(reply: Mapping[str, Any], completion_tokens: int | None) -> list[Generation]:
    """The reply's samples; `completion_tokens` are those of a single one."""
    choices = reply.get("choices")
    if not isinstance(choices, list):
        return []
    tokens = completion_tokens if len(choices) == 1 else None
    return [_generation(choice, tokens) for choice in choices if isinstance(choice, Mapping)]


def _generation(choice: Mapping[str, Any], tokens: int | None) -> Generation:
    message, reason = choice.get("message"), choice.get("finish_reason")
    message = message if isinstance(message, Mapping) else {}
    text = message.get("content")
    if reason == "content_filter" or not (isinstance(text, str) or reason == "length"):
        return Generation("", error=f"no text in the reply: {message.get('refusal') or reason}")
    finish_reason = reason if reason in ("stop", "length") else None
    return Generation(text or "", finish_reason, tokens, _first_token_logprobs(choice.get("logprobs")))


def _first_token_logprobs(logprobs: Any) -> dict[str, float] | None:
    try:
        return {str(token["token"]): float(token["logprob"]) for token in logprobs["content"][0]["top_logprobs"]}
    except (TypeError, KeyError, IndexError, ValueError):
        return None
