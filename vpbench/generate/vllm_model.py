"""The vLLM backend: samples of a checkpoint by vLLM in this process.

Conversations go through the checkpoint's own chat template and image processor, which vLLM applies; the samples of a
prompt share its prefix, image included, in vLLM's cache. Prompts are handed over as others finish, so that the engine
is always full and what is done is yielded at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from vpbench.errors import ConfigError, CriticError, require
from vpbench.generate.generator import FIRST_TOKENS, Generator
from vpbench.models.chat import ending_ids
from vpbench.models.checkpoint import checkpoint_fingerprint, checkpoint_folder, read_json
from vpbench.models.conversation import END_OF_TURN
from vpbench.models.vllm_start import start_vllm
from vpbench.prompts import Generation, Message, Prompt

OPEN_PROMPTS = 64
NEVER = -100.0
"""The bias of a token that mustn't be drawn; vLLM takes none lower."""


@dataclass(frozen=True)
class VllmModel(Generator):
    """A checkpoint folder or hub id, run by vLLM.

    `trust_remote_code` runs Python code that comes with the checkpoint: some, such as those in InternVL's released
    layout, need it in vLLM, and it can do whatever you can on this machine; read it first. `max_model_len` is the
    longest prompt and answer in tokens (None: the checkpoint's own). Seeds are sent on a GPU only: vLLM's CPU build
    can't take them, samples there can't be repeated.
    """

    backend: ClassVar[str] = "vllm"

    model: str = ""
    checkpoint_revision: str | None = None
    dtype: str = "auto"
    trust_remote_code: bool = False
    max_model_len: int | None = None
    max_images: int = field(default=8, compare=False)
    tensor_parallel_size: int = field(default=1, compare=False)
    gpu_memory_utilization: float = field(default=0.9, compare=False)

    def prepare(self) -> None:
        """Start vLLM."""
        self._llm  # noqa: B018

    def revision(self) -> str:
        """Fingerprint of the checkpoint's files, of its code too where that is run."""
        return checkpoint_fingerprint(self._folder, code=self.trust_remote_code)

    def usage(self) -> Mapping[str, float]:
        """Tokens read and drawn so far; a prompt counts once however many samples it gave."""
        return dict(self._usage)

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        """Samples as their prompt finishes; a broken image or a prompt that vLLM refuses comes as an error."""
        engine = self._llm.llm_engine
        waiting = iter(enumerate(prompts))
        running: dict[str, int] = {}
        try:
            while True:
                while len(running) < OPEN_PROMPTS and (following := next(waiting, None)) is not None:
                    position, prompt = following
                    try:
                        running[self._ask(prompt)] = position
                    except Exception as error:  # refusals have no common base in vLLM's versions
                        yield from ((position, Generation("", error=str(error))) for _ in range(prompt.count))
                if not running:
                    return
                for output in engine.step():
                    if output.finished:
                        yield from self._finished(running.pop(output.request_id), output)
        finally:
            engine.abort_request(list(running))

    def _ask(self, prompt: Prompt) -> str:
        """Hand a prompt to vLLM and return the name it has in outputs; a last message of the assistant's is continued.

        vLLM tells its internal name, which has a random part behind the other.
        """
        goes_on = prompt.messages[-1].role == "assistant"
        names: list[str] = self._llm.enqueue_chat(
            [[_chat_message(message) for message in prompt.messages]],
            self._parameters(prompt),
            use_tqdm=False,
            add_generation_prompt=not goes_on,
            continue_final_message=goes_on,
        )
        return names[0].partition("-")[0]

    def _finished(self, position: int, output: Any) -> Iterator[tuple[int, Generation]]:
        self._usage["prompt_tokens"] += len(output.prompt_token_ids)
        for sample in output.outputs:
            self._usage["completion_tokens"] += len(sample.token_ids)
            first = sample.logprobs[0].values() if sample.logprobs else ()
            logprobs = {token.decoded_token: token.logprob for token in first} or None
            yield position, Generation(sample.text, sample.finish_reason, len(sample.token_ids), logprobs)

    def _parameters(self, prompt: Prompt) -> Any:
        import torch
        from vllm import SamplingParams

        return SamplingParams(
            n=prompt.count,
            temperature=prompt.sampling.temperature,
            top_p=prompt.sampling.top_p,
            max_tokens=prompt.sampling.max_tokens,
            seed=prompt.seed if torch.cuda.is_available() else None,
            logprobs=FIRST_TOKENS if prompt.first_token_logprobs else None,
            stop_token_ids=sorted(self._stop_ids),
            logit_bias=self._masked,
        )

    @cached_property
    def _folder(self) -> Any:
        require("vllm", "torch")
        try:
            return checkpoint_folder(self.model, self.checkpoint_revision)
        except CriticError as error:
            raise ConfigError(str(error)) from error

    @cached_property
    def _llm(self) -> Any:
        if "auto_map" in read_json(self._folder / "config.json") and not self.trust_remote_code:
            raise ConfigError(
                f"{self.model}: the checkpoint brings Python code of its own, which vLLM would run; read it, and if "
                "you trust it allow that by the setting trust_remote_code=true, or use the backend transformers"
            )
        llm = start_vllm(
            self._folder,
            dtype=self.dtype,
            trust_remote_code=self.trust_remote_code,
            max_model_len=self.max_model_len,
            limit_mm_per_prompt={"image": self.max_images, "video": 0},
            enable_prefix_caching=True,
            tensor_parallel_size=self.tensor_parallel_size,
            gpu_memory_utilization=self.gpu_memory_utilization,
        )
        if not getattr(llm.get_tokenizer(), "chat_template", None):
            raise ConfigError(f"{self.model}: the checkpoint has no chat template; use a chat checkpoint")
        return llm

    @cached_property
    def _stop_ids(self) -> frozenset[int]:
        """The ids that end an answer: the generation configuration's, the tokenizer's, and the end of a turn."""
        tokenizer = self._llm.get_tokenizer()
        configured = self._llm.model_config.try_get_generation_config().get("eos_token_id")
        return frozenset(ending_ids(configured, {tokenizer.eos_token_id, tokenizer.get_vocab().get(END_OF_TURN)}))

    @cached_property
    def _masked(self) -> dict[int, float]:
        """The special tokens that no answer may hold, those that end it excepted."""
        tokenizer = self._llm.get_tokenizer()
        added = (id for id, token in tokenizer.added_tokens_decoder.items() if token.special)
        special = {*tokenizer.all_special_ids, *added} - self._stop_ids
        size = self._llm.model_config.get_vocab_size()
        return {id: NEVER for id in special if id < size}

    @cached_property
    def _usage(self) -> Counter[str]:
        return Counter()


def _chat_message(message: Message) -> dict[str, Any]:
    """One turn as vLLM's chat takes it. Raises `DataError` for a broken image."""
    if not message.images:
        return {"role": message.role, "content": message.text}
    images = [{"type": "image_pil", "image_pil": image.open().convert("RGB")} for image in message.images]
    return {"role": message.role, "content": [*images, {"type": "text", "text": message.text}]}
