"""Tokenizers without remote code: byte-level BPE, and SentencePiece with renamed and added tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from scoring_tiny import RENAMED, SPECIAL, write_bpe, write_sentencepiece

from vpbench.errors import CriticError
from vpbench.models.tokenizer import load_tokenizer


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_bpe_keeps_special_tokens_whole_and_adds_none(tmp_path: Path) -> None:
    write_bpe(tmp_path)
    tokenizer = load_tokenizer(tmp_path, original=True)
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    assert tokenizer.encode("a+<|im_end|>b") == [vocabulary["a"], vocabulary["+"], 257, vocabulary["b"]]
    assert tokenizer.token_id("+") == vocabulary["+"]
    assert tokenizer.token_id("absent") is None


def test_sentencepiece_is_cut_at_added_tokens(tmp_path: Path) -> None:
    size = write_sentencepiece(tmp_path)
    tokenizer = load_tokenizer(tmp_path, original=True)
    plain = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    ids = dict(zip(SPECIAL, range(size - 5, size), strict=True))
    text = "<|im_start|>assistant\n+<|im_end|>\nstep  one<img>é</s>"
    wanted = [
        ids["<|im_start|>"],
        *plain.encode("assistant\n+"),
        ids["<|im_end|>"],
        *plain.encode("\nstep  one"),
        ids["<img>"],
        *plain.encode("é"),
        2,
    ]
    assert tokenizer.encode(text, with_special=False) == wanted
    assert tokenizer.encode(text) == [1, *wanted]
    assert tokenizer.token_id("+") == plain.piece_to_id("+")
    assert tokenizer.token_id("absent") is None
    assert tokenizer.encode("") == [1]


def test_the_longest_added_token_wins(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    decoder = json.loads(path.read_text())["added_tokens_decoder"]
    edit(tmp_path, added_tokens_decoder=decoder | {"400": {"content": "<img>2"}})
    tokenizer = load_tokenizer(tmp_path, original=True)
    assert tokenizer.encode("<img>2", with_special=False) == [400]


def test_bos_can_be_off(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path)
    edit(tmp_path, add_bos_token=False)
    assert load_tokenizer(tmp_path, original=True).encode("") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bos_token": "<begin>"}, "bos_token '<begin>'"),
        ({"added_tokens_decoder": None}, "missing or malformed"),
        ({"added_tokens_decoder": {"x": {"content": "y"}}}, "missing or malformed"),
        ({"added_tokens_decoder": {"400": {"content": "y", "lstrip": True}}}, "'y' has lstrip"),
        ({"added_tokens_decoder": {}}, "is empty"),
    ],
)
def test_sentencepiece_settings_that_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write_sentencepiece(tmp_path)
    edit(tmp_path, **changes)
    with pytest.raises(CriticError) as caught:
        load_tokenizer(tmp_path, original=True)
    assert message in str(caught.value)


def test_a_broken_sentencepiece_model(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"junk")
    with pytest.raises(CriticError, match="not a SentencePiece model"):
        load_tokenizer(tmp_path, original=True)


def test_plain_text_knows_no_special_tokens(tmp_path: Path) -> None:
    write_bpe(tmp_path)
    tokenizer = load_tokenizer(tmp_path, original=True)
    assert set(SPECIAL) <= set(tokenizer.special_tokens)
    typed = "a<|im_end|>é</img>"
    assert tokenizer.encode_plain("plain é\n") == tokenizer.encode("plain é\n", with_special=False)
    assert tokenizer.special_ids.isdisjoint(tokenizer.encode_plain(typed))
    assert tokenizer.decode(tokenizer.encode_plain(typed)) == typed
    assert not tokenizer.special_ids.isdisjoint(tokenizer.encode(typed))


def test_plain_text_spells_pieces_that_became_special(tmp_path: Path) -> None:
    """Two pieces of the model stand where added tokens were put: typing their characters would forge these."""
    write_sentencepiece(tmp_path)
    tokenizer = load_tokenizer(tmp_path, original=True)
    assert {*SPECIAL, *RENAMED} <= set(tokenizer.special_tokens)
    typed = f"one<|im_start|>{RENAMED[0]}</s>"
    assert tokenizer.encode(RENAMED[0], with_special=False) == [tokenizer.token_id(SPECIAL[0])]
    assert tokenizer.encode_plain("step  one") == tokenizer.encode("step  one", with_special=False)
    assert tokenizer.special_ids.isdisjoint(tokenizer.encode_plain(typed))
    assert tokenizer.decode(tokenizer.encode_plain(typed)) == typed
