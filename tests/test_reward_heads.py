"""Reward models with heads of their own in whole runs, on tiny random checkpoints, and those that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from scoring_tiny import TOKENS_PER_TILE, write_original
from test_critics_cards import LLAMA, byte_tokenizer, question, save
from transformers import LlamaConfig, LlamaForCausalLM

from vpbench import Candidate, ConfigError, CriticError, Question
from vpbench.cli import main
from vpbench.models.tokenizer import load_tokenizer
from vpbench.plugins import find_critic

HIDDEN = 24
HEADS = {
    "qwen-math-prm": {"score.0": (HIDDEN, HIDDEN), "score.2": (2, HIDDEN)},
    "token-prm": {"score": (2, HIDDEN)},
    "skywork-o1-prm": {"v_head.summary": (1, HIDDEN)},
    "implicit-prm": {},
}
STEPS = {"qwen-math-prm": "product", "token-prm": "mean", "skywork-o1-prm": "mean", "implicit-prm": "min"}
"""How the authors of each make one score of the steps'."""


def write(folder: Path, critic: str, marker: bool = True, bos: bool = True, scale: float = 1.0) -> Path:
    """A checkpoint of the kind that a critic is for."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = byte_tokenizer()
    if marker:
        tokenizer.add_special_tokens({"additional_special_tokens": ["<extra_0>"]}, replace_extra_special_tokens=False)
    save(LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **LLAMA)), tokenizer, folder)
    if not bos:
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"bos_token": None}))
    tensors = load_file(folder / "model.safetensors")
    for name, shape in HEADS[critic].items():
        tensors |= {f"{name}.weight": torch.randn(shape) * scale, f"{name}.bias": torch.randn(shape[0])}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def made(critic: str, folder: Path, **settings: Any) -> Any:
    cls: Any = find_critic(critic).cls
    return cls(**{"model": str(folder), "dtype": "float32", "device": "cpu", **settings})


def pool(folder: Path) -> Path:
    responses = ("Step 1: two and two\n\nStep 2: it is four\n\nAnswer: 4", "five\n\nAnswer: 5", "Answer: 4")
    rows = [
        {
            "question_id": id,
            "question": "How many?",
            "answer": "4",
            "answer_type": "integer",
            "candidates": [{"response": response} for response in responses],
        }
        for id in ("1", "2")
    ]
    path = folder / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(folder: Path, critic: str, checkpoint: Path, settings: str = "", *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        main,
        ["run", "--task", "mathvista", "--pool", str(pool(folder)), "--critic", f"{critic}:{checkpoint}"]
        + ["--critic-args", f"dtype=float32,device=cpu{settings}", "--resamples", "100"]
        + ["--output", str(folder / "runs"), *arguments],
        catch_exceptions=False,
    )
    return done.exit_code, done.output


def result(output: str) -> dict[str, Any]:
    folder = Path(next(text for text in output.splitlines() if text.startswith("written to ")).split()[-1])
    content: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return content


@pytest.mark.parametrize("critic", HEADS)
def test_a_run_takes_the_authors_aggregation_unless_told(tmp_path: Path, critic: str) -> None:
    checkpoint = write(tmp_path / "model", critic)
    reference = ""
    if critic == "implicit-prm":
        reference = f",ignore_images=true,reference={write(tmp_path / 'reference', critic)}"
    code, output = run(tmp_path, critic, checkpoint, reference)
    assert code == 0, output
    assert (result(output)["aggregate"], result(output)["errors"]) == (STEPS[critic], {})
    code, output = run(tmp_path, critic, checkpoint, reference, "--aggregate", "last")
    assert code == 0, output
    assert result(output)["aggregate"] == "last"


def test_scores_without_bounds_need_a_link_for_a_weighted_vote(tmp_path: Path) -> None:
    """Told before anything is loaded; with a link they vote."""
    policy = write(tmp_path / "model", "implicit-prm")
    reference = f",ignore_images=true,reference={policy}"
    code, output = run(tmp_path, "implicit-prm", policy, reference, "--selection", "weighted-vote")
    assert code == 2
    assert "a weighted vote can't add scores without bounds; name a link" in " ".join(output.split())
    asked = ("--selection", "weighted-vote", "--link", "sigmoid")
    code, output = run(tmp_path, "implicit-prm", policy, reference, *asked)
    assert code == 0, output


def test_saturated_scores_are_scores(tmp_path: Path) -> None:
    critic = made("qwen-math-prm", write(tmp_path, "qwen-math-prm", scale=1e4))
    (score,) = critic.score(Question("t", "q", "Q?"), [Candidate("q", 0, "one\n\ntwo\n\nthree")])
    assert set(score.steps) <= {0.0, 1.0}
    assert (len(score.steps), score.reason) == (3, None)


@pytest.mark.parametrize(
    ("critic", "written", "message"),
    [
        ("qwen-math-prm", {"critic": "token-prm"}, r"hold no score\.0\.weight, score\.2\.weight, but score\.bias"),
        (
            "qwen-math-prm",
            {"critic": "qwen-math-prm", "marker": False},
            "model: the tokenizer has no token '<extra_0>'",
        ),
        ("token-prm", {"critic": "implicit-prm"}, r"hold no score\.weight, nor any other head"),
        ("skywork-o1-prm", {"critic": "qwen-math-prm"}, r"hold no v_head\.summary\.weight, but score\.0\.bias"),
        ("skywork-o1-prm", {"critic": "skywork-o1-prm", "bos": False}, "model: the tokenizer has no bos_token"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    tmp_path: Path, critic: str, written: dict[str, Any], message: str
) -> None:
    checkpoint = write(tmp_path / "model", **written)
    with pytest.raises(CriticError, match=message):
        made(critic, checkpoint).prepare()


def test_a_refusal_ends_a_run_before_it_scores(tmp_path: Path) -> None:
    code, output = run(tmp_path, "token-prm", write(tmp_path / "model", "skywork-o1-prm"))
    assert code == 2
    assert "hold no score.weight, but v_head.summary.bias" in " ".join(output.split())


def test_two_models_with_different_tokens_are_refused(tmp_path: Path) -> None:
    policy = write(tmp_path / "model", "implicit-prm")
    other = write(tmp_path / "reference", "implicit-prm")
    path = other / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"]["er"] = max(content["model"]["vocab"].values()) + 1000
    content["model"]["merges"] = [["e", "r"]]
    path.write_text(json.dumps(content))
    with pytest.raises(CriticError, match="reads other tokens than .*; give a reference with the policy's tokenizer"):
        made("implicit-prm", policy, reference=str(other)).prepare()


@pytest.mark.parametrize(
    ("critic", "settings", "message"),
    [
        ("token-prm", {"separator": ""}, "separator is empty"),
        ("token-prm", {"tokenization": "words"}, "give pieces or joined"),
        ("token-prm", {"right_label": 2}, "give 0 or 1"),
        ("implicit-prm", {"coefficient": 0.0}, "give a number above 0"),
        ("implicit-prm", {"splitter": "none"}, "splitter 'none' is unknown"),
        ("implicit-prm", {"max_steps": 0}, "give at least 1"),
    ],
)
def test_settings_that_cannot_be(critic: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(critic, Path("."), **settings)


@pytest.mark.parametrize("images", [0, 2])
def test_a_pair_that_sees_images(tmp_path: Path, images: int) -> None:
    """Each model's own forward with the pictures, over the conversation written by hand."""
    folders = [tmp_path / "policy", tmp_path / "reference"]
    for number, folder in enumerate(folders):
        write_original(folder, "qwen2")
        tensors = load_file(folder / "model.safetensors")
        save_file({name: tensor * (1 + number / 3) for name, tensor in tensors.items()}, folder / "model.safetensors")
    critic = made(
        "implicit-prm", folders[0], reference=str(folders[1]), system_message="S", max_tiles=1, coefficient=1.0
    )
    opening = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n"
    opening += (
        "<img>" + "<IMG_CONTEXT>" * TOKENS_PER_TILE + "</img>\n"
    ) * images + "Q<|im_end|>\n<|im_start|>assistant\n"
    encode = load_tokenizer(folders[0], original=True).encode
    ids = encode(opening + "one\n\ntwo<|im_end|>\n")
    cut = (opening + "<|im_end|>", opening + "one<|im_end|>\n\n", opening + "one\n\ntwo<|im_end|>")
    start, *marks = (len(encode(text)) - 2 for text in cut)
    asked = question(images, "Q")
    logs = []
    for chat in critic._chats:
        pixels, _ = chat.vision.tiles([image.open() for image in asked.images], 1)
        with torch.inference_mode():
            logits = chat.checkpoint.model(input_ids=torch.tensor([ids]), pixel_values=pixels).logits[0, :-1].double()
        logs.append(logits.log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0])
    sums = [float((logs[0] - logs[1])[start - 1 : mark + 1].sum()) for mark in marks]
    given, same, other = critic.score(
        asked,
        [
            Candidate("q", 0, "", steps=("one", "two")),
            Candidate("q", 1, "", steps=("one", "two")),
            Candidate("q", 2, "x"),
        ],
    )
    assert given.steps == pytest.approx([sums[0], sums[1] - sums[0]], abs=2e-5)
    assert (given.value, given.reason) == (min(given.steps), None)
    assert same == given != other


def test_two_checkpoints_are_needed() -> None:
    with pytest.raises(ConfigError, match="needs two checkpoints: .*reference="):
        made("implicit-prm", Path(".")).revision()


def test_the_other_label_may_be_the_right_one(tmp_path: Path) -> None:
    checkpoint = write(tmp_path, "token-prm")
    asked = Question("t", "q", "Q?"), [Candidate("q", 0, "one\n\ntwo")]
    (second,), (first,) = (made("token-prm", checkpoint, right_label=label).score(*asked) for label in (1, 0))
    assert first.steps == pytest.approx([1 - score for score in second.steps], abs=1e-6)
    (joined,) = made("token-prm", checkpoint, separator="\\n\\n", tokenization="joined").score(*asked)
    assert joined.steps != second.steps
    (begun,) = made("token-prm", checkpoint, tokenization="joined").score(
        asked[0], [Candidate("q", 0, "", steps=("a",))]
    )
    assert begun.reason is None


def test_a_response_that_is_too_long_gets_a_reason(tmp_path: Path) -> None:
    critic = made("qwen-math-prm", write(tmp_path, "qwen-math-prm"))
    long, short = critic.score(Question("t", "q", "Q?"), [Candidate("q", 0, "x" * 600), Candidate("q", 1, "x")])
    assert str(long.reason).endswith("tokens, the model takes 512")
    assert short.reason is None
