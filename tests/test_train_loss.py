"""The loss against transformers' own, what changes it and what must not, the estimate, and the way between layouts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from scoring_tiny import write_original
from train_tiny import RECIPE, batches, label_model, write_solutions

from vpbench.models.internvl_config import empty_native_model
from vpbench.scoring import load_step_scorer
from vpbench.train.batches import MicroBatches, plan_batches
from vpbench.train.estimate import estimate
from vpbench.train.model import LabelModel, with_adapters
from vpbench.train.original import original_config, original_tensors
from vpbench.train.parts import set_trained


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny base and labelled solutions."""
    folder = tmp_path_factory.mktemp("train-loss")
    write_original(folder / "base", "qwen2")
    write_solutions(folder / "data", 8)
    return folder


def step_loss(model: LabelModel, data: MicroBatches) -> tuple[float, torch.Tensor]:
    """The loss of the plan's only step, and the gradient of one weight."""
    model.zero_grad()
    losses = [model(**data[number])["loss"] for number in range(len(data))]
    torch.stack(losses).sum().backward()
    return sum(loss.item() for loss in losses), model.model.lm_head.weight.grad.clone()


def test_the_loss_is_that_of_transformers_own_forward_on_the_label_tokens(root: Path) -> None:
    scorer = load_step_scorer(str(root / "base"), device="cpu")
    data = batches(scorer, root / "data" / "solutions.jsonl")
    model, total, count = label_model(scorer), 0.0, 0
    for example in data.examples:
        ids, readouts = data.encoder.encode(example.question, example.steps, example.labels)
        pixels, _ = scorer.tiles([image.open() for image in example.question.images], RECIPE.max_tiles)
        targets = torch.full((1, len(ids)), -100)
        for readout, label in zip(readouts, example.labels, strict=True):
            assert ids[readout + 1] == scorer.tokenizer.token_id("+" if label > 0 else "-")
            targets[0, readout + 1] = ids[readout + 1]
        with torch.no_grad():
            outputs = scorer.model(input_ids=torch.tensor([ids]), pixel_values=pixels, labels=targets)
        total, count = total + float(outputs.loss) * len(readouts), count + len(readouts)
    assert step_loss(model, data)[0] == pytest.approx(total / count, rel=1e-5)


def test_packing_and_dividing_a_step_change_neither_loss_nor_gradient(root: Path) -> None:
    scorer = load_step_scorer(str(root / "base"), device="cpu")
    path, model = root / "data" / "solutions.jsonl", label_model(scorer)
    loss, gradient = step_loss(model, batches(scorer, path))
    for packing, tokens in ((True, 10**6), (True, 1500), (False, 1500)):
        data = batches(scorer, path, packing=packing, tokens=tokens)
        other, other_gradient = step_loss(model, data)
        assert len(data) > 1 or tokens == 10**6
        assert other == pytest.approx(loss, rel=1e-5)
        torch.testing.assert_close(other_gradient, gradient, rtol=1e-4, atol=1e-6)


def test_weights_of_classes_and_unlabelled_steps_enter_the_loss(root: Path) -> None:
    scorer = load_step_scorer(str(root / "base"), device="cpu")
    data = batches(scorer, root / "data" / "solutions.jsonl")
    model = label_model(scorer)
    losses = label_losses(model, data)
    wrong = data[0]["targets"] == data.encoder.minus
    weighted = dataclasses.replace(data, weights={1: 0.5, -1: 2.0, 0: 0.0})
    expected = (losses[~wrong].sum() * 0.5 + losses[wrong].sum() * 2) / (0.5 * (~wrong).sum() + 2 * wrong.sum())
    with torch.no_grad():
        assert float(model(**weighted[0])["loss"]) == pytest.approx(float(expected), rel=1e-5)
        assert float(model(**data[0])["loss"]) == pytest.approx(float(losses.mean()), rel=1e-5)
    neutral = [dataclasses.replace(example, labels=(0, *example.labels[1:])) for example in data.examples]
    spared = dataclasses.replace(data, examples=neutral)[0]["weights"]
    assert int((spared == 0).sum()) == len(neutral) and float(spared.sum()) == pytest.approx(1)


def label_losses(model: LabelModel, data: MicroBatches) -> torch.Tensor:
    """The cross-entropy of each label on its own: the loss is linear in the weights."""
    inputs = data[0]
    weights = inputs["weights"].requires_grad_()
    (gradients,) = torch.autograd.grad(model(**{**inputs, "weights": weights})["loss"], weights)
    return gradients


def test_history_can_hold_the_placeholder_that_scoring_shows(root: Path) -> None:
    scorer = load_step_scorer(str(root / "base"), device="cpu")
    data = batches(scorer, root / "data" / "solutions.jsonl", teach=False)
    example = data.examples[0]
    pixels, counts = scorer.tiles([image.open() for image in example.question.images], 2)
    shown = scorer.prompt(example.question.text, example.steps, counts)
    plan = plan_batches([example.length], RECIPE, 1)
    alone = dataclasses.replace(data, examples=[example], plan=plan)
    assert tuple(alone[0]["input_ids"][0].tolist()) == shown.ids
    assert alone[0]["targets"].tolist() == [10 if label > 0 else 12 for label in example.labels]


@pytest.mark.parametrize("rank", [0, 3])
def test_the_estimate_counts_what_is_trained_and_kept(root: Path, rank: int) -> None:
    scorer = load_step_scorer(str(root / "base"), device="cpu")
    data = batches(scorer, root / "data" / "solutions.jsonl")
    recipe = dataclasses.replace(RECIPE, lora_rank=rank)
    whole, sharded = (estimate(scorer.model, data.examples, data.plan, recipe, shards) for shards in (1, 2))
    set_trained(scorer.model.float(), recipe)
    model = with_adapters(scorer.model, rank) if rank else scorer.model
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    kept = sum(parameter.numel() for parameter in model.parameters())
    assert (whole.trained, whole.trained + whole.frozen) == (trained, kept)
    assert (whole.weights, whole.gradients, whole.optimiser) == (4 * kept, 4 * trained, 8 * trained)
    assert sharded.weights == whole.weights // 2 and sharded.activations == whole.activations
    assert whole.micro_batch_tokens == data[0]["input_ids"].numel()
    assert whole.labels == sum(len(example.labels) for example in data.examples)


@pytest.mark.parametrize(("kind", "large"), [("qwen2", False), ("internlm2", False), ("qwen2", True)])
def test_the_way_to_the_native_layout_and_back_is_exact(tmp_path: Path, kind: str, large: bool) -> None:
    write_original(tmp_path, kind, large_vision=large)
    scorer = load_step_scorer(str(tmp_path), device="cpu")
    stored = load_file(tmp_path / "model.safetensors")
    back = original_tensors(scorer.model.state_dict(), scorer.model.config.text_config)
    assert back.keys() == stored.keys() and all(torch.equal(back[name], stored[name]) for name in stored)
    again = empty_native_model(original_config(scorer.model.config), tmp_path, scorer.checkpoint.image_token_id).config
    ours, theirs = again.to_dict(), scorer.model.config.to_dict()
    assert {name: ours[name] for name in ours if name != "dtype"} == {n: theirs[n] for n in theirs if n != "dtype"}
