"""What may lie in a checkpoint's folder beside or instead of weights in safetensors: adapters, pickles, more files."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from scoring_tiny import logits, write_native, write_original, write_text_model

from vpbench.errors import ConfigError, CriticError
from vpbench.generate.generator import load_generator
from vpbench.models.text import load_text_model
from vpbench.models.weights import CONVERSION
from vpbench.plugins import find_critic, make_critic
from vpbench.scoring import checkpoint_fingerprint, load_step_scorer
from vpbench.scoring.load import load_text_scorer
from vpbench.scoring.vllm_overlay import _write_weights
from vpbench.scoring.vllm_server import load_server_step_scorer


def write_adapter(folder: Path) -> Any:
    """A text model with an adapter of ones beside it, both as their libraries save them."""
    model = write_text_model(folder, "qwen2")
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.ones_(parameter)
    adapted.save_pretrained(folder)
    return adapted


USES: dict[str, Callable[[str], object]] = {
    "scorer": load_step_scorer,
    "text scorer": load_text_scorer,
    "scorer of a server": lambda folder: load_server_step_scorer(folder, "http://localhost:1"),
    "critic": lambda folder: make_critic(find_critic("math-shepherd").cls, {"model": folder}).revision(),
    "likelihood": lambda folder: make_critic(find_critic("likelihood").cls, {"model": folder}).revision(),
    "policy": lambda folder: load_generator(f"transformers:{folder}", {"ignore_images": "true"}).identity(),
    "loaded policy": lambda folder: load_generator(f"transformers:{folder}", {"ignore_images": "true"}).prepare(),
    "policy in vLLM": lambda folder: load_generator(f"vllm:{folder}", {}).identity(),
}


@pytest.mark.parametrize("use", USES)
def test_a_folder_with_an_adapter_is_refused_whoever_loads_it(tmp_path: Path, use: str) -> None:
    write_adapter(tmp_path)
    with pytest.raises((CriticError, ConfigError), match=r"holds an adapter \(adapter_config.json.*merge_and_unload"):
        USES[use](str(tmp_path))


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"])
def test_any_file_of_an_adapter_is_enough(tmp_path: Path, name: str) -> None:
    write_text_model(tmp_path, "qwen2")
    (tmp_path / name).write_text("{}")
    with pytest.raises(CriticError, match=f"holds an adapter .{name}"):
        load_text_model(str(tmp_path))


def test_the_merged_folder_is_taken(tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    (tmp_path / "adapted").mkdir()
    model = write_adapter(tmp_path / "adapted").merge_and_unload()
    model.save_pretrained(merged)
    for path in (tmp_path / "adapted").glob("*token*"):
        (merged / path.name).write_bytes(path.read_bytes())
    loaded = load_text_model(str(merged), dtype="float32", device="cpu").model
    ids = torch.arange(9)[None]
    with torch.inference_mode():
        assert torch.equal(loaded(ids).logits, model(ids).logits)


def pickled(folder: Path, legacy: bool = False) -> None:
    """Weights in safetensors, as PyTorch saves them instead; `legacy` without a zip file, as before 1.6."""
    for path in [*folder.glob("*.safetensors")]:
        name = path.name.replace("model", "pytorch_model", 1).replace("safetensors", "bin")
        torch.save(load_file(path), folder / name, _use_new_zipfile_serialization=not legacy)
        path.unlink()
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        text = index.read_text().replace("model-", "pytorch_model-").replace(".safetensors", ".bin")
        (folder / "pytorch_model.bin.index.json").write_text(text)
        index.unlink()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("layout", ["released", "released in parts", "transformers"])
def test_bin_weights_give_the_same_model(tmp_path: Path, layout: str, legacy: bool) -> None:
    if layout == "transformers":
        model = write_native(tmp_path, tied=False)
    else:
        model = write_original(tmp_path, "internlm2", parts=2 if layout == "released in parts" else 1)
    before = checkpoint_fingerprint(tmp_path)
    pickled(tmp_path, legacy)
    assert not [*tmp_path.glob("*.safetensors*")]
    loaded = load_step_scorer(str(tmp_path), dtype="float32", device="cpu").model
    assert torch.equal(logits(loaded), logits(model))
    assert checkpoint_fingerprint(tmp_path) != before


def test_bin_weights_of_a_text_model(tmp_path: Path) -> None:
    model = write_text_model(tmp_path, "mistral")
    pickled(tmp_path)
    loaded = load_text_model(str(tmp_path), dtype="float32", device="cpu").model
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in loaded.state_dict().items())


def test_safetensors_go_before_bin_weights(tmp_path: Path) -> None:
    model = write_original(tmp_path, "qwen2")
    (tmp_path / "pytorch_model.bin").write_bytes(b"never read")
    loaded = load_step_scorer(str(tmp_path), dtype="float32", device="cpu").model
    assert torch.equal(logits(loaded), logits(model))


class Runs:
    """What unpickling it would do, if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "code": (lambda trap: {"weight": Runs(trap)}, "can't be read as tensors alone"),
    "code beside tensors": (lambda trap: {"weight": torch.ones(2), "x": Runs(trap)}, "can't be read as tensors alone"),
    "a module": (lambda trap: torch.nn.Linear(2, 2), "can't be read as tensors alone"),
    "a trainer's state": (lambda trap: {"state_dict": {"w": torch.ones(2)}, "epoch": 3}, "something else than tensors"),
    "a list": (lambda trap: [torch.ones(2)], "something else than tensors"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("layout", ["released", "transformers"])
def test_a_pickle_of_more_than_tensors_is_refused_and_not_run(tmp_path: Path, layout: str, kind: str) -> None:
    folder, trap = tmp_path / "checkpoint", tmp_path / "ran"
    folder.mkdir()
    if layout == "transformers":
        write_native(folder, tied=False)
    else:
        write_original(folder, "qwen2")
    (folder / "model.safetensors").unlink()
    content, message = HOSTILE[kind]
    torch.save(content(trap), folder / "pytorch_model.bin")
    with pytest.raises(CriticError, match="pytorch_model.bin") as caught:
        load_step_scorer(str(folder), dtype="float32", device="cpu")
    assert message in str(caught.value)
    assert not trap.exists()


@pytest.mark.parametrize("kind", ["code", "junk", "empty"])
def test_a_text_model_s_pickle_is_refused_too(tmp_path: Path, kind: str) -> None:
    write_text_model(tmp_path, "qwen2")
    (tmp_path / "model.safetensors").unlink()
    path, trap = tmp_path / "pytorch_model.bin", tmp_path / "ran"
    torch.save({"weight": Runs(trap)}, path)
    if kind != "code":
        path.write_bytes(b"junk" if kind == "junk" else b"")
    with pytest.raises(CriticError, match="pytorch_model.bin: can't be read as tensors alone"):
        load_text_model(str(tmp_path))
    assert not trap.exists()


@pytest.mark.parametrize("file", ["pytorch_model.bin", "../model.safetensors", "/etc/x.safetensors", ".."])
def test_an_index_names_files_of_its_folder_and_kind(tmp_path: Path, file: str) -> None:
    write_original(tmp_path, "qwen2", parts=2)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(index.read_text().replace("model-00001-of-00002.safetensors", file))
    with pytest.raises(CriticError, match=r"isn't a file name in \*\.safetensors"):
        load_step_scorer(str(tmp_path))


def test_an_index_of_bin_files_leaves_the_folder_neither(tmp_path: Path) -> None:
    write_original(tmp_path, "qwen2", parts=2)
    pickled(tmp_path)
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(index.read_text().replace("pytorch_model-00001", "../pytorch_model-00001"))
    with pytest.raises(CriticError, match=r"isn't a file name in \*\.bin"):
        load_step_scorer(str(tmp_path))


def test_vllm_s_scorer_asks_for_a_conversion_that_works(tmp_path: Path) -> None:
    model = write_original(tmp_path, "qwen2", parts=2)
    pickled(tmp_path)
    (tmp_path / "overlay").mkdir()
    with pytest.raises(CriticError, match="convert it by python -c"):
        _write_weights(tmp_path / "overlay", tmp_path, torch.ones(1))
    arguments = shlex.split(CONVERSION)
    subprocess.run([sys.executable, *arguments[1:]], cwd=tmp_path, check=True)
    loaded = load_step_scorer(str(tmp_path), dtype="float32", device="cpu").model
    assert torch.equal(logits(loaded), logits(model))


SCORED_BY = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "qwen.tiktoken",
    "chat_template.json",
    "chat_template.jinja",
    "additional_chat_templates/tool_use.jinja",
    "preprocessor_config.json",
    "processor_config.json",
    "conversation.py",
    "consolidated.safetensors",
]


@pytest.mark.parametrize("name", SCORED_BY)
def test_every_file_that_can_change_a_score_enters_the_fingerprint(tmp_path: Path, name: str) -> None:
    save_file({"weight": torch.ones(1)}, tmp_path / "model.safetensors")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    fingerprints = [checkpoint_fingerprint(tmp_path)]
    for content in (b"1", b"2"):
        path.write_bytes(content)
        fingerprints.append(checkpoint_fingerprint(tmp_path))
    assert len(set(fingerprints)) == 3


def test_code_enters_the_fingerprint_where_it_runs(tmp_path: Path) -> None:
    write_text_model(tmp_path, "qwen2")
    trusting, plain = (
        load_generator(f"vllm:{tmp_path}", {"trust_remote_code": trusted}) for trusted in ("true", "false")
    )
    before = trusting.identity(), plain.identity()
    (tmp_path / "modeling.py").write_text("print()")
    assert trusting.identity() != before[0]
    assert plain.identity() == before[1]


def test_fingerprints_stay_those_of_older_versions(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    for name in ("config.json", "merges.txt", "tokenizer.model", "chat.jinja", "conversation.py", "README.md", "x.py"):
        (tmp_path / name).write_text(name)
    assert checkpoint_fingerprint(tmp_path) == "07f58e8c40fcbf71"
