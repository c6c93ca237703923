"""Step scores from a vLLM server that already runs, by the log-probabilities of the labels.

One request a step: the chat up to where the model would say the step's label, one token to generate, and of that token
the log-probabilities of the labels alone. Every request shares its prompt with the one before, which the server's
prefix cache makes cheap. The server applies the chat template and cuts the images; its token ids come back and have to
be ours, so that no other template and no other number of tiles goes unseen. Its resampling may differ: scores are the
checkpoint's own where an image needs no resizing.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vpbench.endpoint.budget import Meter
from vpbench.endpoint.client import ChatClient, RequestFailed
from vpbench.endpoint.keys import API_KEY_ENV
from vpbench.endpoint.messages import png_url
from vpbench.endpoint.threads import RequestThreads
from vpbench.errors import CriticError
from vpbench.models.checkpoint import checkpoint_folder, read_json
from vpbench.models.conversation import (
    IMAGE_CONTEXT,
    IMAGE_END,
    IMAGE_MARKER,
    IMAGE_START,
    LABEL_PLACEHOLDER,
    LABEL_TURN,
    SEPARATOR,
    SYSTEM_ROLE,
    USER_ROLE,
)
from vpbench.models.internvl_config import ORIGINAL
from vpbench.models.load import load_internvl_without_weights
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.scoring.label_logits import StepPrompt
from vpbench.scoring.step_format import ChatFormat, StepFormat
from vpbench.scoring.step_scorer import StepScorer

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_BLOCK = re.compile(f"{IMAGE_START}(?:{IMAGE_CONTEXT})+{IMAGE_END}")
TIMEOUT_S, RETRIES, CONCURRENCY = 600.0, 3, 16


@dataclass(frozen=True)
class ServerBackend:
    """A `Backend` whose logits are the log-probabilities that a server gives; its images are data URLs.

    `checkpoint` needs no weights. `served` is what the server calls the model, `image_text` what its template writes
    for an image.
    """

    checkpoint: LoadedCheckpoint
    client: ChatClient
    served: str
    image_text: str

    def images(self, images: Sequence[Image], max_tiles: int) -> tuple[tuple[str, ...] | None, list[int]]:
        """The images to send, or None without images; and how many tiles the server will cut of each."""
        vision = self.checkpoint.vision
        if vision is None or not images:
            return None, []
        return tuple(map(png_url, images)), [vision.tile_count(*image.size, max_tiles) for image in images]

    def check(self, prompt: StepPrompt, format: StepFormat) -> None:
        """Raise `CriticError` for what a chat can't carry."""
        if not isinstance(format, ChatFormat):
            raise CriticError("a server scores chats with one turn per step only; use another backend")
        if prompt.neutralised:
            raise CriticError("special tokens are typed in the text, a server can't read them as text; remove them")
        if not all(prompt.steps):
            raise CriticError("empty step: a chat template can't write it as the released scorer does; remove it")

    def label_logits(
        self,
        prompts: Sequence[StepPrompt],
        images: Any | None,
        tiles_per_image: Sequence[int],
        label_ids: Sequence[int],
    ) -> list[Any]:
        """See `Backend`. Raises `CriticError` as well if the server fails or reads other tokens."""
        import torch

        urls: tuple[str, ...] = images or ()
        if len(urls) != len(tiles_per_image):
            raise CriticError(
                f"{len(urls)} images are given, tiles_per_image {list(tiles_per_image)} has another number"
            )
        stop = threading.Event()
        steps = [(prompt, step) for prompt in prompts for step in range(len(prompt.steps))]
        with RequestThreads(CONCURRENCY) as pool:
            try:
                rows = list(pool.map(lambda step: self._step(step[0], step[1], urls, label_ids, stop), steps))
            except RequestFailed as error:
                raise CriticError(f"the server gives no log-probabilities: {error}") from error
            finally:
                stop.set()
        counts = [len(prompt.steps) for prompt in prompts]
        return list(torch.tensor(rows, dtype=torch.float32).split(counts)) if rows else []

    def _step(
        self, prompt: StepPrompt, step: int, urls: Sequence[str], label_ids: Sequence[int], stop: threading.Event
    ) -> list[float]:
        """The labels' log-probabilities for one step."""
        extra = {"logprob_token_ids": list(label_ids), "return_tokens_as_token_ids": True, "return_token_ids": True}
        body = {
            "model": self.served,
            "messages": self._messages(prompt, step, urls),
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": len(label_ids),
            **extra,
        }
        reply = self.client.complete(body, stop)
        image_tokens = prompt.ids.count(self.checkpoint.image_token_id)
        if reply.get("prompt_token_ids") != list(prompt.ids[: prompt.readouts[step] + 1]):
            raise CriticError(
                "the server reads another prompt than the checkpoint was trained with: its chat template or its number "
                f"of tiles differs (it must cut images into {image_tokens} tokens in all), or "
                "it is no vLLM server; start it with the checkpoint's own template and mm-processor-kwargs"
            )
        try:
            likeliest = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
            logprobs = {token["token"]: float(token["logprob"]) for token in likeliest}
            return [logprobs[f"token_id:{id}"] for id in label_ids]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise CriticError(f"the server's reply lacks the labels' log-probabilities ({error!r})") from error

    def _messages(self, prompt: StepPrompt, step: int, urls: Sequence[str]) -> list[dict[str, Any]]:
        """The chat up to the user's turn of a step, taken from the prompt's text."""
        text = IMAGE_BLOCK.sub(lambda _: self.image_text, prompt.text)
        system_message = self.checkpoint.system_message
        turns = text.removeprefix(SYSTEM_ROLE + system_message + SEPARATOR).split(LABEL_TURN)[: step + 1]
        texts = [turn.removeprefix(USER_ROLE).removesuffix(SEPARATOR) for turn in turns]
        images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        first: Any = [*images, {"type": "text", "text": texts[0]}] if images else texts[0]
        messages: list[dict[str, Any]] = [{"role": "system", "content": system_message}]
        for number, content in enumerate([first, *texts[1:]]):
            if number:
                messages.append({"role": "assistant", "content": LABEL_PLACEHOLDER})
            messages.append({"role": "user", "content": content})
        return messages


def load_server_step_scorer(
    model: str,
    base_url: str,
    served: str | None = None,
    revision: str | None = None,
    system_message: str | None = None,
    api_key_env: str = API_KEY_ENV,
) -> StepScorer:
    """A scorer for a vLLM server at `base_url` that serves the checkpoint `model` (no pooling) under the name `served`.

    Of the checkpoint only configuration and tokenizer are read here. Raises `CriticError` if they can't be used and
    `ConfigError` if the `openai` package is missing.
    """
    folder = checkpoint_folder(model, revision, weights=False)
    original = read_json(folder / "config.json").get("model_type") == ORIGINAL
    checkpoint = load_internvl_without_weights(str(folder), None, system_message)
    client = ChatClient(base_url, api_key_env, TIMEOUT_S, RETRIES, Meter(0.0, 0.0))
    image_text = IMAGE_MARKER if original else IMAGE_CONTEXT
    return StepScorer(checkpoint, ServerBackend(checkpoint, client, served or model, image_text))
