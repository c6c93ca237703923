"""InternLM2's tokenizer: SentencePiece, with special tokens that took over the ids of pieces.

transformers' conversions give these tokens new ids, so it is done here: the text is cut at the added tokens (longest
first), the rest goes to SentencePiece piece by piece, and BOS is put in front.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError, require
from vpbench.models.checkpoint import read_json


@dataclass(frozen=True)
class SentencePieceTokenizer:
    """A `Tokenizer`: a SentencePiece model plus added tokens (text -> id), which are found before it sees the text."""

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


def load_sentencepiece(folder: Path) -> SentencePieceTokenizer:
    """The tokenizer of a folder with `tokenizer.model`. Raises `CriticError` naming the file that can't be used."""
    require("models", "sentencepiece")
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
