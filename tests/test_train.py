"""Training end to end on a tiny base: layouts, resumption, processes, errors."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from scoring_tiny import write_original
from train_tiny import RECIPE, batches, label_model, write_solutions
from transformers.models.qwen2.modeling_qwen2 import Qwen2MLP

from vpbench import ConfigError, CriticError, DataError, Recipe
from vpbench.cli import main
from vpbench.labels.read import read_labelled
from vpbench.plugins import find_critic
from vpbench.progress import bar
from vpbench.scoring import load_step_scorer
from vpbench.stats import step_f1
from vpbench.train.examples import Example
from vpbench.train.resume import last_checkpoint
from vpbench.train.run import train_critic
from vpbench.train.settings import TrainingRun

CRITIC = """
from vpbench import Recipe
from vpbench.scoring import StepCritic

class Tiny(StepCritic):
    name, title = "tiny", "Tiny"
    recipe = Recipe(threshold=0.7)
"""
"""As `visualprm`, with a threshold that the scores of a random model lie about."""
VISUALPRM = find_critic("visualprm").cls
ORM = find_critic("orm").cls


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny base and labelled solutions."""
    folder = tmp_path_factory.mktemp("train")
    write_original(folder / "base", "qwen2")
    write_solutions(folder / "data", 8)
    (folder / "critic.py").write_text(CRITIC)
    return folder


def train(root: Path, output: str, recipe: Recipe = RECIPE, critic: Any = VISUALPRM, **settings: Any) -> Path:
    """Train from the tiny base; the output folder."""
    data = (root / "data" / "solutions.jsonl",)
    settings = {"model": str(root / "base"), "data": data, "output": root / output} | settings
    train_critic(critic(), TrainingRun(**settings), recipe, bar, lambda _: None)
    return Path(settings["output"])


def engine_scores(folder: Path, examples: Sequence[Example], max_tiles: int = 2) -> list[list[float]]:
    """What a run would say of these examples: the folder loaded anew, the default engine."""
    scorer = load_step_scorer(str(folder), device="cpu")
    scores = []
    for example in examples:
        pixels, counts = scorer.tiles([image.open() for image in example.question.images], max_tiles)
        (result,) = scorer.score(example.question.text, [example.steps], pixels, counts)
        assert not isinstance(result, CriticError)
        scores.append(list(result.scores))
    return scores


@pytest.fixture(scope="module")
def trained(root: Path) -> Path:
    """A finished run with evaluation, checkpoints after every second step."""
    return train(root, "whole", eval_data=root / "data" / "solutions.jsonl", eval_every=3, save_every=2)


def test_what_is_trained_scores_the_same_through_the_engine_in_both_layouts(root: Path, trained: Path) -> None:
    """The trainer's forward is asked on the last checkpoint's weights, the engine on the folders written."""
    scorer = load_step_scorer(str(root / "base"), device="cpu")
    data = batches(scorer, root / "data" / "solutions.jsonl", teach=False)
    model = label_model(scorer)
    checkpoint = last_checkpoint(trained / "checkpoints")
    assert checkpoint is not None and checkpoint.name == "checkpoint-4"
    before = load_file(root / "base" / "model.safetensors")
    model.load_state_dict(load_file(checkpoint / "model.safetensors"))
    with torch.no_grad():
        flat = model(**data[0])["logits"].softmax(-1)[:, 0].tolist()
    in_trainer: dict[int, list[float]] = {}
    for number in data.plan.micro[0].solutions:
        steps = len(data.examples[number].steps)
        in_trainer[number], flat = flat[:steps], flat[steps:]
    for layout in ("native", "original"):
        through_engine = engine_scores(trained / layout, data.examples)
        for number, scores in in_trainer.items():
            assert through_engine[number] == pytest.approx(scores, abs=1e-5)
    labels = [example.labels for example in data.examples]
    metrics = json.loads((trained / "training.json").read_text())["metrics"]
    assert metrics["eval_macro_f1_pooled"] == step_f1(labels, through_engine, RECIPE.threshold).pooled.macro_f1
    after = load_file(trained / "original" / "model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert before.keys() == after.keys()
    assert changed and not any(name.startswith("vision_model") for name in changed)


def test_training_learns(trained: Path) -> None:
    log = json.loads((trained / "training.json").read_text())["log"]
    losses = [entry["loss"] for entry in log if "loss" in entry]
    assert len(losses) == 4 and losses[-1] < losses[0]
    assert [entry["step"] for entry in log if "eval_macro_f1_pooled" in entry] == [3, 4]
    rates = [entry["learning_rate"] for entry in log if "learning_rate" in entry]
    assert max(rates) <= 2e-3 and rates[-1] < rates[1]


def test_the_card_names_data_rule_seed_versions_and_metrics(trained: Path) -> None:
    text = (trained / "native" / "README.md").read_text()
    record = json.loads((trained / "training.json").read_text())
    assert (trained / "original" / "README.md").read_text() == text
    for words in (
        record["data"][0]["sha256"],
        "mc > 0",
        "| seed | 0 |",
        record["versions"]["torch"],
        "eval_macro_f1_pooled",
    ):
        assert words in text


def test_an_internlm2_base_trains_and_its_native_folder_keeps_the_tokens(root: Path, tmp_path: Path) -> None:
    write_original(tmp_path / "base", "internlm2")
    output = train(root, "internlm2", model=str(tmp_path / "base"), recipe=dataclasses.replace(RECIPE, epochs=1))
    loaded = {name: load_step_scorer(str(output / name), device="cpu") for name in ("native", "original")}
    prompts = {name: scorer.prompt("question one", ["two", "three"], [1]) for name, scorer in loaded.items()}
    assert prompts["native"] == prompts["original"]
    native, original = (loaded[name].model.state_dict() for name in ("native", "original"))
    assert native.keys() == original.keys() and all(torch.equal(native[name], original[name]) for name in native)


def test_a_native_base_gives_both_layouts(root: Path, trained: Path, tmp_path: Path) -> None:
    output = train(root, "again", model=str(trained / "native"), recipe=dataclasses.replace(RECIPE, epochs=1))
    native, original = (load_step_scorer(str(output / name), device="cpu") for name in ("native", "original"))
    assert native.checkpoint.system_message == original.checkpoint.system_message
    for name, tensor in native.model.state_dict().items():
        assert torch.equal(tensor, original.model.state_dict()[name])


def test_adapters_are_merged(root: Path) -> None:
    recipe = dataclasses.replace(RECIPE, lora_rank=2, learning_rate=0.05)
    output = train(root, "lora", recipe)
    before, after = (load_file(folder / "model.safetensors") for folder in (root / "base", output / "original"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert before.keys() == after.keys() and len(changed) == 2 * 7
    assert all(name.endswith("_proj.weight") and "language_model" in name for name in changed)
    assert json.loads((output / "training.json").read_text())["metrics"]["loss"] > 0


def test_a_run_of_one_step_changes_weights_whatever_the_warm_up(root: Path) -> None:
    output = train(root, "one step", dataclasses.replace(RECIPE, batch_size=8, epochs=1, warmup=0.9))
    assert json.loads((output / "training.json").read_text())["steps"] == 1
    before, after = (load_file(folder / "model.safetensors") for folder in (root / "base", output / "original"))
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("rank", [0, 2])
def test_a_run_that_changes_no_weight_is_refused(root: Path, rank: int) -> None:
    recipe = dataclasses.replace(RECIPE, learning_rate=1e-30, epochs=1, lora_rank=rank)
    with pytest.raises(ConfigError, match="no weight changed in 2 steps at learning rate 1e-30"):
        train(root, f"unchanged {rank}", recipe)
    assert not (root / f"unchanged {rank}" / "training.json").exists()


def test_bfloat16_and_checkpointing_follow_float32(root: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    forward = Qwen2MLP.forward
    monkeypatch.setattr(Qwen2MLP, "forward", lambda self, x: calls.append(x.dtype) or forward(self, x))
    output = train(root, "bf16", dataclasses.replace(RECIPE, bf16=True, gradient_checkpointing=True, packing=True))
    whole, half = (json.loads((folder / "training.json").read_text())["log"] for folder in (trained, output))
    losses = [[entry["loss"] for entry in log if "loss" in entry] for log in (whole, half)]
    assert losses[1] == pytest.approx(losses[0], rel=0.03) and losses[1] != losses[0]
    layers, again = 2, 2
    assert len(calls) == len(losses[1]) * layers * again
    stored = load_file(output / "native" / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float32}


def test_an_outcome_reward_model_learns_one_label_of_the_whole_response(root: Path) -> None:
    recipe = dataclasses.replace(RECIPE, unit="response", epochs=1)
    output = train(root, "orm", recipe, ORM)
    record = json.loads((output / "training.json").read_text())
    last = [solution.labels[-1] for solution in read_labelled(root / "data" / "solutions.jsonl")]
    assert record["labels"] == {"+": last.count(1), "-": last.count(-1)}


def command(root: Path, output: str, *more: str) -> list[str]:
    settings = {
        "model": root / "base",
        "data": root / "data" / "solutions.jsonl",
        "output": root / output,
        "critic": root / "critic.py",
        "batch-size": 4,
        "learning-rate": 2e-3,
        "max-tiles": 2,
        "epochs": 2,
        "save-every": 2,
    }
    return ["train", "--no-packing", *(f"--{name}={value}" for name, value in settings.items()), *more]


KILLED_IN_STEP_3 = """
import os, signal
from vpbench.cli import main
from vpbench.train.trainer import LabelTrainer
step = LabelTrainer.training_step
def killed(self, *arguments):
    if self.state.global_step == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *arguments)
LabelTrainer.training_step = killed
main()
"""


def start(arguments: Sequence[str], **variables: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_weights(root: Path, trained: Path) -> None:
    process = start(["-c", KILLED_IN_STEP_3, *command(root, "killed")])
    output, _ = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, output
    assert not (root / "killed" / "native").exists()
    assert last_checkpoint(root / "killed" / "checkpoints") == root / "killed" / "checkpoints" / "checkpoint-2"
    refused = CliRunner().invoke(main, command(root, "killed"))
    assert refused.exit_code == 2 and "--resume" in refused.output
    other = CliRunner().invoke(main, command(root, "killed", "--resume", "--seed=1"))
    assert other.exit_code == 2 and "another recipe" in other.output
    resumed = CliRunner().invoke(main, command(root, "killed", "--resume"))
    assert resumed.exit_code == 0, resumed.output
    once, twice = (load_file(folder / "native" / "model.safetensors") for folder in (trained, root / "killed"))
    assert once.keys() == twice.keys() and all(torch.equal(once[name], twice[name]) for name in once)


def test_quiet_training_shows_no_progress(root: Path) -> None:
    result = CliRunner().invoke(main, command(root, "quiet", "-q"))
    assert result.exit_code == 0, result.output
    assert "written " in result.stdout and "loss" not in result.stdout
    assert "it/s" not in result.stderr


def test_a_torn_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for step, text in ((2, '{"global_step": 2}'), (10, '{"global_step": 10}'), (12, '{"global'), (14, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if text is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(text)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(root: Path, trained: Path) -> None:
    more = ("--eval-data", str(root / "data" / "solutions.jsonl"), "--eval-every", "3")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    running = [
        start(["-m", "vpbench", *command(root, "two", *more)], RANK=str(rank), LOCAL_RANK=str(rank), **group)
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    one, two = (json.loads((folder / "training.json").read_text()) for folder in (trained, root / "two"))
    assert two["processes"] == 2
    for ours, theirs in zip(one["log"], two["log"], strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours.keys() & {"loss", "learning_rate", "eval_macro_f1_pooled", "grad_norm"}:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-4)


def test_a_dry_run_counts_without_weights(root: Path, tmp_path: Path) -> None:
    for path in (root / "base").iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    arguments = [word for word in command(root, "dry", "--dry-run") if not word.startswith("--model")]
    result = CliRunner().invoke(main, [*arguments, f"--model={tmp_path}"])
    assert result.exit_code == 0, result.output
    assert "4 of 4 solutions" in result.output and "GiB per process" in result.output
    tokens = 2 * sum(example.length for example in examples_of(root))
    assert f"{tokens:,} with images" in result.output
    assert not (root / "dry").exists()


def examples_of(root: Path) -> Sequence[Example]:
    return batches(load_step_scorer(str(root / "base"), device="cpu"), root / "data" / "solutions.jsonl").examples


def test_text_alone_among_pictures_runs_and_rows_that_cannot_are_counted(root: Path, tmp_path: Path) -> None:
    path = write_solutions(tmp_path, 4)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    del rows[0]["image"]
    rows[1]["conversations"][1]["value"] = rows[1]["conversations"][3]["value"] = "="
    rows[1]["conversations"] = rows[1]["conversations"][:4]
    rows[2]["conversations"][0]["value"] += " one" * 1200
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = dataclasses.replace(RECIPE, batch_tokens=1, epochs=1)
    record = json.loads((train(root, "text", recipe, data=(path,)) / "training.json").read_text())
    assert record["left_out"] == {"no label": 1, "too long": 1} and record["solutions"] == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row.pop("image"), "no row names an image"),
        (lambda row: row.update(image="gone.png"), "gone.png"),
        (lambda row: row["conversations"].clear(), "Solution Process"),
    ],
)
def test_data_that_cannot_be_trained_on_is_named(root: Path, tmp_path: Path, change: Any, words: str) -> None:
    path = write_solutions(tmp_path, 2)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        change(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=words):
        train(root, "broken", data=(path,))


def test_an_empty_file_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DataError, match="hold no rows"):
        train(root, "empty", data=(tmp_path / "empty.jsonl",))


def test_a_base_without_labels_as_tokens_is_refused(root: Path, tmp_path: Path) -> None:
    write_original(tmp_path / "base", "qwen2")
    path = tmp_path / "base" / "vocab.json"
    vocabulary = json.loads(path.read_text())
    vocabulary["minus"] = vocabulary.pop("-")
    path.write_text(json.dumps(vocabulary))
    with pytest.raises(CriticError, match="single tokens"):
        train(root, "labels", model=str(tmp_path / "base"))


def test_sharding_without_a_gpu_is_refused_but_can_be_planned(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    result = CliRunner().invoke(main, command(root, "sharded", "--fsdp"))
    assert result.exit_code == 2 and "there is none here" in result.output
    assert not (root / "sharded").exists()
    assert CliRunner().invoke(main, command(root, "sharded", "--fsdp", "--dry-run")).exit_code == 0


def test_a_missing_extra_and_a_critic_without_recipe_say_what_to_do(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = [word.replace(str(root / "critic.py"), "self-consistency") for word in command(root, "x")]
    result = CliRunner().invoke(main, without)
    assert result.exit_code == 2 and "no recipe" in result.output
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "accelerate" else find(name))
    result = CliRunner().invoke(main, command(root, "x"))
    assert result.exit_code == 2 and "pip install 'vpbench[train]'" in result.output
