"""Text to token ids, without a checkpoint's own code.

Two kinds of tokenizer occur: byte-level BPE goes through transformers, the SentencePiece kind of InternLM2 through
`sentence_pieces`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from vpbench.errors import CriticError
from vpbench.models.checkpoint import read_json
from vpbench.models.sentence_pieces import load_sentencepiece


class Tokenizer(Protocol):
    """What scoring needs of a tokenizer."""

    def encode(self, text: str, *, with_special: bool = True) -> list[int]:
        """Token ids; `with_special` adds what the tokenizer puts around a text, such as BOS."""

    def encode_plain(self, text: str) -> list[int]:
        """Token ids of a text in which special tokens are words like any other; nothing is put around it."""

    def token_id(self, token: str) -> int | None:
        """The id of one token, None if the vocabulary lacks it."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out."""

    @property
    def special_ids(self) -> frozenset[int]:
        """The ids that no text stands behind: special and control tokens."""

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The texts that `encode` turns into special tokens."""

    @property
    def size(self) -> int:
        """The number of ids; a model may have more rows than that."""


@dataclass(frozen=True)
class TransformersTokenizer:
    """A tokenizer of transformers."""

    inner: Any

    def encode(self, text: str, *, with_special: bool = True) -> list[int]:
        """See `Tokenizer`."""
        return list(self.inner(text, add_special_tokens=with_special, verbose=False)["input_ids"])

    def encode_plain(self, text: str) -> list[int]:
        """See `Tokenizer`. Raises `CriticError` for a tokenizer that isn't one of the library tokenizers'."""
        return list(self._plain.encode(text, add_special_tokens=False).ids)

    @cached_property
    def _plain(self) -> Any:
        from tokenizers import Tokenizer as Backend

        backend = getattr(self.inner, "backend_tokenizer", None)
        if backend is None:
            raise CriticError("special tokens can't be read as text by this kind of tokenizer; add a tokenizer.json")
        plain = Backend.from_str(backend.to_str())
        plain.encode_special_tokens = True
        return plain

    def token_id(self, token: str) -> int | None:
        """See `Tokenizer`."""
        id = self.inner.convert_tokens_to_ids(token)
        return None if id is None or id == self.inner.unk_token_id else int(id)

    def decode(self, ids: Sequence[int]) -> str:
        """See `Tokenizer`."""
        return str(self.inner.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    @property
    def special_ids(self) -> frozenset[int]:
        """See `Tokenizer`."""
        added = (id for id, token in self.inner.added_tokens_decoder.items() if token.special)
        return frozenset((*self.inner.all_special_ids, *added))

    @cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """See `Tokenizer`."""
        added = (token.content for token in self.inner.added_tokens_decoder.values() if token.special)
        return tuple(dict.fromkeys((*self.inner.all_special_tokens, *added)))

    @property
    def size(self) -> int:
        """See `Tokenizer`."""
        return len(self.inner)


def required_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of one token. Raises `CriticError` if the vocabulary lacks it."""
    id = tokenizer.token_id(token)
    if id is None:
        raise CriticError(f"the tokenizer has no token {token!r}; use the tokenizer files of the checkpoint")
    return id


def load_tokenizer(folder: Path, original: bool) -> Tokenizer:
    """The tokenizer of a checkpoint folder, chosen by the files it holds.

    `original` tells the layout of the released checkpoints, whose `tokenizer.model` is InternLM2's. Raises
    `CriticError` naming the files looked for.
    """
    has_bpe = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    has_sentencepiece = (folder / "tokenizer.model").is_file()
    has_fast = (folder / "tokenizer.json").is_file()
    if original and has_bpe:
        return _transformers_tokenizer(folder, "Qwen2Tokenizer")
    if has_sentencepiece and (original or _is_internlm2(folder)):
        return load_sentencepiece(folder)
    if has_bpe or has_sentencepiece or has_fast:
        return _transformers_tokenizer(folder, "PreTrainedTokenizerFast" if original else "AutoTokenizer")
    raise CriticError(
        f"{folder}: no tokenizer (vocab.json with merges.txt, tokenizer.model or tokenizer.json); "
        "copy the checkpoint's tokenizer files into the folder"
    )


def _is_internlm2(folder: Path) -> bool:
    path = folder / "tokenizer_config.json"
    return path.is_file() and read_json(path).get("tokenizer_class") == "InternLM2Tokenizer"


def _transformers_tokenizer(folder: Path, class_name: str) -> TransformersTokenizer:
    import transformers

    try:
        inner = getattr(transformers, class_name).from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # transformers and tokenizers raise bare Exception for a broken file
        raise CriticError(f"{folder}: transformers can't load the tokenizer ({error}); replace its files") from error
    return TransformersTokenizer(inner)
