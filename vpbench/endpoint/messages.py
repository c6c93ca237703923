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

_TEXT_CHUNKS = ("text", "output_text")


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
    """The reply's `prompt_tokens` and `completion_tokens`, all its samples together, as far as they are counts."""
    usage = reply.get("usage")
    if not isinstance(usage, Mapping):
        return {}
    counts = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
    return {name: count for name, count in counts.items() if type(count) is int and 0 <= count < 2**53}


def choices(reply: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The reply's choices, as far as they are objects."""
    listed = reply.get("choices")
    return [choice for choice in listed if isinstance(choice, Mapping)] if isinstance(listed, list) else []


def no_choices(reply: Mapping[str, Any]) -> str | None:
    """Why a reply without choices may be asked for again; None for others."""
    return None if choices(reply) else "broken reply: no choices"


def no_samples(reply: Mapping[str, Any]) -> str | None:
    """Why a reply without a single sample may be asked for again; None for others."""
    empty = [_empty(choice, token_counts(reply).get("completion_tokens")) for choice in choices(reply)]
    return no_choices(reply) or (None if None in empty else f"no text in the reply: {empty[0]}")


def generations(reply: Mapping[str, Any]) -> list[Generation]:
    """The reply's samples, without those that may be asked for again."""
    total = token_counts(reply).get("completion_tokens")
    tokens = total if len(choices(reply)) == 1 else None
    return [_generation(choice, tokens) for choice in choices(reply) if _empty(choice, total) is None]


def _empty(choice: Mapping[str, Any], completion_tokens: int | None) -> str | None:
    """Why a choice is no answer at all, as overloaded servers give; None for an answer or a lasting refusal.

    Nothing but an end is an answer too, where a token was drawn.
    """
    reason, error = choice.get("finish_reason"), choice.get("error")
    if error or reason == "error":
        return str(error or reason)
    drawn = _text(choice) is not None and not (_text(choice) == "" and completion_tokens == 0)
    if drawn or _message(choice).get("refusal") or reason not in (None, "stop"):
        return None
    return str(reason)


def _generation(choice: Mapping[str, Any], tokens: int | None) -> Generation:
    text, reason = _text(choice), choice.get("finish_reason")
    if reason == "content_filter" or (text is None and reason != "length"):
        return Generation("", error=f"no text in the reply: {_message(choice).get('refusal') or reason}")
    finish_reason = reason if reason in ("stop", "length") else None
    return Generation(text or "", finish_reason, tokens, _first_token_logprobs(choice.get("logprobs")))


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    message = choice.get("message")
    return message if isinstance(message, Mapping) else {}


def _text(choice: Mapping[str, Any]) -> str | None:
    """The content, whether one text or a list of chunks, of which those that are no text (thoughts, say) are left out.

    None without any. Lone surrogates, which no file can hold, as "?".
    """
    content = _message(choice).get("content")
    if isinstance(content, list):
        chunks = [
            chunk.get("text") if isinstance(chunk, Mapping) and chunk.get("type", "text") in _TEXT_CHUNKS else chunk
            for chunk in content
        ]
        texts = [chunk for chunk in chunks if isinstance(chunk, str)]
        content = "".join(texts) if texts else None
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else None


def _first_token_logprobs(logprobs: Any) -> dict[str, float] | None:
    try:
        return {str(token["token"]): float(token["logprob"]) for token in logprobs["content"][0]["top_logprobs"]}
    except (TypeError, KeyError, IndexError, ValueError, OverflowError):
        return None
