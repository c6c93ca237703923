"""Text to token ids, without a checkpoint's own code.

Two kinds of tokenizer occur. Byte-level BPE goes through transformers. The SentencePiece kind of InternLM2 is done
here, since transformers' conversions give its renamed special tokens new ids: the text is cut at the added tokens
(longest first), the rest goes to SentencePiece piece by piece, and BOS is put in front.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from vpbench.errors import CriticError
from vpbench.models.checkpoint import read_json


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


@dataclass(frozen=True)
class SentencePieceTokenizer:
    """A SentencePiece model plus added tokens (text -> id), which are found before it sees the text."""

    processor: Any
    added: Mapping[str, int]
    bos_id: int | None

    def encode(self, text: str, *, with_special: bool = True) -> list[int]:
        """See `Tokenizer`."""
        ids = [self.bos_id] if with_special and self.bos_id is not None else []
        longest_first = sorted(self.added, key=len, reverse=True)
        for part in re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text):
            if part in self.added:
                ids.append(self.added[part])
            elif part:
                ids.extend(self.processor.encode(part))
        return ids

    def encode_plain(self, text: str) -> list[int]:
        """See `Tokenizer`. A piece whose id an added token took over is spelt in bytes.

        Raises `CriticError` if the model has no pieces for bytes.
        """
        taken = set(self.added.values()) - {self.processor.unk_id()}
        ids: list[int] = []
        for id in self.processor.encode(text):
            ids += [id] if id not in taken else self._bytes_of(self.processor.id_to_piece(id).replace("\u2581", " "))
        return ids

    def _bytes_of(self, text: str) -> list[int]:
        ids = [self.token_id(f"<0x{byte:02X}>") for byte in text.encode()]
        if None in ids:
            raise CriticError("special tokens can't be read as text: the SentencePiece model has no pieces for bytes")
        return [id for id in ids if id is not None]

    def token_id(self, token: str) -> int | None:
        """See `Tokenizer`."""
        if token in self.added:
            return self.added[token]
        id = int(self.processor.piece_to_id(token))
        return None if id == self.processor.unk_id() else id

    def decode(self, ids: Sequence[int]) -> str:
        """See `Tokenizer`."""
        return str(self.processor.decode([id for id in ids if id not in self.special_ids]))

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """See `Tokenizer`."""
        pieces = range(self.processor.get_piece_size())
        controls = (id for id in pieces if self.processor.is_control(id) or self.processor.is_unknown(id))
        return frozenset((*self.added.values(), *controls))

    @cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """See `Tokenizer`; with them the pieces whose ids added tokens took over, as far as text gives them."""
        inside = [id for id in self.added.values() if id < self.processor.get_piece_size()]
        pieces = {id: self.processor.id_to_piece(id).replace("\u2581", " ") for id in inside}
        return (*self.added, *(text for id, text in pieces.items() if id in self.processor.encode(text)))

    @property
    def size(self) -> int:
        """See `Tokenizer`."""
        return max(int(self.processor.get_piece_size()), 1 + max(self.added.values(), default=0))


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
        return _sentencepiece_tokenizer(folder)
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


def _sentencepiece_tokenizer(folder: Path) -> SentencePieceTokenizer:
    from sentencepiece import SentencePieceProcessor

    path = folder / "tokenizer.model"
    try:
        processor = SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise CriticError(f"{path}: not a SentencePiece model ({error}); replace the file") from error
    settings = read_json(folder / "tokenizer_config.json")
    added = _added_tokens(folder, settings)
    if not settings.get("add_bos_token", True):
        return SentencePieceTokenizer(processor, added, None)
    bos = settings.get("bos_token", "<s>")
    name = str(bos.get("content") if isinstance(bos, dict) else bos)
    tokenizer = SentencePieceTokenizer(processor, added, None)
    bos_id = tokenizer.token_id(name)
    if bos_id is None:
        raise CriticError(f"{folder}/tokenizer_config.json: bos_token {name!r} isn't in the vocabulary")
    return SentencePieceTokenizer(processor, added, bos_id)


def _added_tokens(folder: Path, settings: Mapping[str, Any]) -> dict[str, int]:
    """The added tokens of `tokenizer_config.json`. Raises `CriticError` for none, and for ones that eat spaces."""
    path = folder / "tokenizer_config.json"
    try:
        entries = {int(key): dict(entry) for key, entry in settings["added_tokens_decoder"].items()}
        added = {str(entry["content"]): key for key, entry in entries.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CriticError(f"{path}: added_tokens_decoder is missing or malformed ({error!r})") from error
    for entry in entries.values():
        for flag in ("lstrip", "rstrip", "single_word", "normalized"):
            if entry.get(flag):
                raise CriticError(f"{path}: added token {entry['content']!r} has {flag}, which isn't supported")
    if not added or "" in added:
        raise CriticError(f"{path}: added_tokens_decoder is empty or holds an empty token")
    return added
