"""Text to token ids, without a checkpoint's own code.

Two kinds of tokenizer occur. Byte-level BPE goes through transformers. The SentencePiece kind of InternLM2 is done
here, since transformers' conversions give its renamed special tokens new ids: the text is cut at the added tokens
(longest first), the rest goes to SentencePiece piece by piece, and BOS is put in front.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vpbench.errors import CriticError
from vpbench.scoring.checkpoint import read_json


class Tokenizer(Protocol):
    """What scoring needs of a tokenizer."""

    def encode(self, text: str, *, with_special: bool = True) -> list[int]:
        """Token ids; `with_special` adds what the tokenizer puts around a text, such as BOS."""

    def token_id(self, token: str) -> int | None:
        """The id of one token, None if the vocabulary lacks it."""


@dataclass(frozen=True)
class TransformersTokenizer:
    """A tokenizer of transformers."""

    inner: Any

    def encode(self, text: str, *, with_special: bool = True) -> list[int]:
        """See `Tokenizer`."""
        return list(self.inner(text, add_special_tokens=with_special, verbose=False)["input_ids"])

    def token_id(self, token: str) -> int | None:
        """See `Tokenizer`."""
        found = self.inner.convert_tokens_to_ids(token)
        return None if found is None or found == self.inner.unk_token_id else int(found)


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

    def token_id(self, token: str) -> int | None:
        """See `Tokenizer`."""
        if token in self.added:
            return self.added[token]
        found = int(self.processor.piece_to_id(token))
        return None if found == self.processor.unk_id() else found


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
    if original and has_sentencepiece:
        return _sentencepiece_tokenizer(folder)
    if has_bpe or has_sentencepiece or has_fast:
        return _transformers_tokenizer(folder, "PreTrainedTokenizerFast" if original else "AutoTokenizer")
    raise CriticError(
        f"{folder}: no tokenizer (vocab.json with merges.txt, tokenizer.model or tokenizer.json); "
        "copy the checkpoint's tokenizer files into the folder"
    )


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
