"""The trainable text critic on tiny random language models: what is trained scores the same, what is frozen stays."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from scoring_tiny import write_text_model

from vpbench import Candidate, ConfigError, CriticError, Question, Recipe
from vpbench.cli import main
from vpbench.labels.read import read_labelled
from vpbench.plugins import find_critic
from vpbench.progress import bar
from vpbench.train.batches import MicroBatches, plan_batches
from vpbench.train.estimate import estimate
from vpbench.train.examples import Encoder, label_ids, label_weights, read_examples
from vpbench.train.model import LabelModel
from vpbench.train.resume import last_checkpoint
from vpbench.train.run import train_critic
from vpbench.train.settings import TrainingRun

CRITIC = find_critic("text-prm").cls
MARKER = "<img>"
RECIPE = Recipe(until_first_error=True, batch_size=2, batch_tokens=200, learning_rate=2e-3, packing=False)
ROWS = (
    ("3 + 4?", ["7", "so 7", "done"], [1, 1, 1]),
    ("2 + 2?", ["2 + 2 = 5", "so 5"], [-1, -1]),
    ("<image> 1 + 1?", ["one", "2"], [0, 1]),
    ("9 - 5?", ["9 - 5 = 4", "4 - 1", "3"], [1, -1, 1]),
)


@pytest.fixture(scope="module", params=[False, True], ids=["head", "tied"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny base and labelled solutions; the base has a head of its own, or its embeddings."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "base").mkdir()
    write_text_model(folder / "base", "qwen2", tie_word_embeddings=request.param, vocab_size=264)
    rows = [
        {"question": question, "response": {"steps": steps, "process_correctness": labels}}
        for question, steps, labels in ROWS
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def train(root: Path, output: str, recipe: Recipe = RECIPE, **settings: Any) -> Path:
    run = TrainingRun(str(root / "base"), (root / "data.jsonl",), root / output, **settings)
    (folder,) = train_critic(CRITIC(marker=MARKER), run, recipe, bar, lambda _: None)
    assert folder == root / output / "native"
    return folder


def batches(root: Path, recipe: Recipe = RECIPE, *, packing: bool = False) -> MicroBatches:
    """All solutions as one step."""
    scorer = CRITIC(marker=MARKER).base_scorer(str(root / "base"))
    encoder = Encoder(scorer, 1, *label_ids(scorer))
    examples, _ = read_examples(encoder, recipe, read_labelled(root / "data.jsonl"), lambda: None)
    whole = dataclasses.replace(recipe, batch_size=len(examples), batch_tokens=10**6, packing=packing)
    plan = plan_batches([example.length for example in examples], whole, 1)
    return MicroBatches(examples, plan, encoder, label_weights(examples, False), packing, teach=True)


def label_model(data: MicroBatches) -> LabelModel:
    encoder = data.encoder
    return LabelModel(encoder.scorer.model, encoder.scorer.checkpoint.image_token_id, (encoder.plus, encoder.minus))


def test_what_is_trained_scores_the_same_through_the_engine(root: Path) -> None:
    folder = train(root, "whole", save_every=1)
    checkpoint = last_checkpoint(root / "whole" / "checkpoints")
    assert checkpoint is not None
    data = batches(root, dataclasses.replace(RECIPE, until_first_error=False))
    model = label_model(data)
    model.load_state_dict(load_file(checkpoint / "model.safetensors"), strict=False)
    with torch.no_grad():
        in_trainer = model(**data[0])["logits"].softmax(-1)[:, 0].tolist()
    critic = CRITIC(marker=MARKER, model=str(folder), device="cpu")
    through_engine: list[float] = []
    for number in data.plan.micro[0].solutions:
        example = data.examples[number]
        (score,) = critic.score(example.question, [Candidate("q", 0, "", steps=example.steps)])
        through_engine += score.steps or ()
    assert through_engine == pytest.approx(in_trainer, abs=1e-5)
    before, after = load_file(root / "base" / "model.safetensors"), load_file(folder / "model.safetensors")
    assert before.keys() == after.keys() and any(not torch.equal(before[name], after[name]) for name in before)


def test_the_loss_is_that_of_transformers_own_forward_up_to_the_first_error(root: Path) -> None:
    data = batches(root)
    encoder, total, count = data.encoder, 0.0, 0
    assert [len(example.steps) for example in data.examples] == [3, 1, 2, 2]
    for example in data.examples:
        ids, readouts = encoder.encode(example.question, example.steps, example.labels)
        assert [ids[readout] for readout in readouts] == [encoder.scorer.tokenizer.token_id(MARKER)] * len(readouts)
        with torch.no_grad():
            logits = encoder.scorer.model(input_ids=torch.tensor([ids])).logits[0, list(readouts)].log_softmax(-1)
        for row, label in zip(logits, example.labels, strict=True):
            if label:
                total, count = total - float(row[encoder.label_id(label)]), count + 1
    for packing in (False, True):
        loss = float(label_model(data)(**batches(root, packing=packing)[0])["loss"])
        assert loss == pytest.approx(total / count, rel=1e-5)


def test_frozen_layers_and_the_embeddings_below_them_stay(root: Path) -> None:
    folder = train(root, "frozen", dataclasses.replace(RECIPE, frozen_layers=1))
    before, after = load_file(root / "base" / "model.safetensors"), load_file(folder / "model.safetensors")
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {name for name in before if ".layers.0." in name or "embed_tokens" in name}
    with pytest.raises(ConfigError, match="the language model has 2"):
        train(root, "too many", dataclasses.replace(RECIPE, frozen_layers=3))
    data = batches(root)
    whole, frozen = (
        estimate(data.encoder.scorer.model, data.examples, data.plan, recipe, 1)
        for recipe in (RECIPE, dataclasses.replace(RECIPE, frozen_layers=1))
    )
    stopped = sum(before[name].numel() for name in kept)
    assert (whole.frozen, frozen.frozen, frozen.trained) == (0, stopped, whole.trained - stopped)
    assert whole.trained == sum(tensor.numel() for tensor in before.values()) and frozen.flops < whole.flops


def test_a_number_of_tokens_ends_the_run(root: Path) -> None:
    lengths = [example.length for example in batches(root).examples]
    for tokens, epochs, steps in ((1, 1, 1), (sum(lengths), 1, 2), (10**6, 1, 2), (sum(lengths) + 1, 3, 3)):
        plan = plan_batches(lengths, dataclasses.replace(RECIPE, tokens=tokens, epochs=epochs), 1)
        assert plan.steps == steps
    train(root, "short", dataclasses.replace(RECIPE, tokens=1))
    record = json.loads((root / "short" / "training.json").read_text())
    assert record["steps"] == 1 and record["solutions"] == 2


def test_adapters_are_merged(root: Path) -> None:
    folder = train(root, "lora", dataclasses.replace(RECIPE, lora_rank=2, learning_rate=0.05))
    before, after = load_file(root / "base" / "model.safetensors"), load_file(folder / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert before.keys() == after.keys() and len(changed) == 2 * 7 and all("_proj" in name for name in changed)


def command(root: Path, output: str, *more: str) -> list[str]:
    paths = [f"--model={root / 'base'}", f"--data={root / 'data.jsonl'}", f"--output={root / output}"]
    return ["train", "--critic=text-prm", "--batch-size=2", "--learning-rate=0.002", *paths, *more]


def test_the_command_takes_the_settings_that_write_prompts_and_the_card_repeats_them(root: Path) -> None:
    settings = f"--critic-args=marker={MARKER},labels=y n"
    dry = CliRunner().invoke(main, command(root, "by command", settings, "--dry-run"))
    assert dry.exit_code == 0 and "4 of 4, 5 labels + and 2 -" in dry.output
    done = CliRunner().invoke(main, command(root, "by command", settings))
    assert done.exit_code == 0, done.output
    record = json.loads((root / "by command" / "run.json").read_text())
    assert record["settings"] == {"marker": MARKER, "labels": "y n", "template": "{question}\n"}
    assert f"marker='{MARKER}'" in (root / "by command" / "native" / "README.md").read_text()
    other = CliRunner().invoke(main, command(root, "by command", f"--critic-args=marker={MARKER}", "--resume"))
    assert other.exit_code == 2 and "another settings" in other.output
    refused = CliRunner().invoke(main, command(root, "other", "--critic-args=dtype=float32"))
    assert refused.exit_code == 2 and "dtype can't be set in training, only marker, labels, template" in refused.output


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": "+-"}, "two tokens"),
        ({"labels": "+ +"}, "two tokens"),
        ({"template": "Question:"}, "{question} once"),
        ({"marker": ""}, "marker is empty"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CRITIC(**settings)


@pytest.mark.parametrize(
    ("settings", "token"), [({}, "<file_sep>"), ({"marker": MARKER, "labels": "+ minus"}, "minus")]
)
def test_a_base_without_the_tokens_is_refused_before_anything_is_read(
    root: Path, settings: dict[str, str], token: str
) -> None:
    run = TrainingRun(str(root / "base"), (root / "none.jsonl",), root / "refused")
    with pytest.raises((CriticError, ConfigError), match=token):
        train_critic(CRITIC(**settings), run, RECIPE, bar, lambda _: None, dry_run=True)


def test_template_and_steps_stand_as_they_are_set(root: Path) -> None:
    critic = CRITIC(marker=MARKER, template="Q: {question} A: ", model=str(root / "base"), device="cpu")
    prompt = critic.base_scorer(str(root / "base")).prompt("3 + 4?", ["7", "so 7"], [])
    assert prompt.text == f"Q: 3 + 4? A: 7{MARKER}so 7{MARKER}"
    (forged,) = critic.score(Question("t", "1", "3 + 4?"), [Candidate("1", 0, "", steps=(f"7{MARKER}", "8"))])
    assert len(forged.steps or ()) == 2 and forged.reason == "held special tokens, neutralised"
