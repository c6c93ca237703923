"""Loading checkpoints: the key mapping there and back, both layouts, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from scoring_tiny import SIDE, logits, original_config, write_native, write_original

from vpbench.errors import ConfigError, CriticError
from vpbench.scoring import load_step_scorer
from vpbench.scoring.step_scorer import StepScorer

KINDS = ("qwen2", "qwen3", "internlm2")


def load(folder: Path, **settings: Any) -> StepScorer:
    return load_step_scorer(str(folder), **{"dtype": "float32", "device": "cpu", **settings})


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_original_layout_there_and_back(tmp_path: Path, kind: str, parts: int) -> None:
    model = write_original(tmp_path, kind, parts)
    loaded = load(tmp_path).model
    wanted = model.state_dict()
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name
    assert torch.equal(logits(loaded), logits(model))
    assert not loaded.training


def test_large_vision_tower(tmp_path: Path) -> None:
    model = write_original(tmp_path, "qwen2", large_vision=True)
    assert torch.equal(logits(load(tmp_path).model), logits(model))


@pytest.mark.parametrize("kind", KINDS)
def test_configuration_values_are_taken_over(tmp_path: Path, kind: str) -> None:
    write_original(tmp_path, kind)
    scorer = load(tmp_path)
    config, raw = scorer.model.config, original_config(kind, 0)
    text, vision = config.text_config, config.vision_config
    assert text.model_type == {"internlm2": "llama"}.get(kind, kind)
    assert text.rms_norm_eps == raw["llm_config"]["rms_norm_eps"]
    assert text.rope_parameters["rope_theta"] == raw["llm_config"]["rope_theta"]
    assert vision.layer_norm_eps == raw["vision_config"]["layer_norm_eps"]
    assert vision.hidden_act == "gelu"
    assert config.tie_word_embeddings is False
    assert config.image_token_id == scorer.tokenizer.token_id("<IMG_CONTEXT>")
    assert scorer.checkpoint.max_tokens == raw["llm_config"]["max_position_embeddings"]
    assert scorer.checkpoint.vision.token_count(1) == 4
    rotary = scorer.model.model.language_model.rotary_emb.inv_freq
    width = text.hidden_size // text.num_attention_heads
    assert rotary.tolist() == pytest.approx([50000.0 ** (-i / width) for i in range(0, width, 2)])


def test_stored_dtype_is_kept_and_rotary_frequencies_stay_float32(tmp_path: Path) -> None:
    write_original(tmp_path, "internlm2")
    path = tmp_path / "model.safetensors"
    save_file({name: tensor.bfloat16() for name, tensor in load_file(path).items()}, path)
    model = load(tmp_path, dtype="auto").model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert model.model.language_model.rotary_emb.inv_freq.dtype == torch.float32
    assert {parameter.dtype for parameter in load(tmp_path).model.parameters()} == {torch.float32}


def test_a_truncated_native_checkpoint(tmp_path: Path) -> None:
    write_native(tmp_path, tied=False)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CriticError, match="not a readable safetensors file"):
        load(tmp_path)


@pytest.mark.parametrize("tied", [False, True])
def test_native_layout(tmp_path: Path, tied: bool) -> None:
    model = write_native(tmp_path, tied)
    scorer = load(tmp_path)
    assert torch.equal(logits(scorer.model), logits(model))
    assert (scorer.model.lm_head.weight is scorer.model.get_input_embeddings().weight) is tied
    pixels, counts = scorer.tiles([Image.new("RGB", (SIDE, SIDE))], max_tiles=1)
    (result,) = scorer.score("Q", [["one", "two"]], pixels, counts)
    assert not isinstance(result, CriticError)


def test_native_layout_is_loaded_strictly(tmp_path: Path) -> None:
    write_native(tmp_path, tied=False)
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if name.endswith("layers.1.mlp.up_proj.weight"))
    del weights[name]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(CriticError, match=r"missing keys such as .*layers\.1\.mlp\.up_proj"):
        load(tmp_path)


def _set(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        for key in keys[:-1]:
            config = config[key]
        config[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("model_type", value="llava"), "model_type is 'llava'"),
        (_set("ps_version", value="v1"), "ps_version is 'v1', only 'v2'"),
        (lambda config: config.pop("ps_version"), "ps_version is 'v1'"),
        (_set("template", value="phi3-chat"), "template is 'phi3-chat', only 'internvl2_5'"),
        (_set("select_layer", value=-4), "select_layer is -4"),
        (_set("pad2square", value=True), "pad2square is True"),
        (_set("use_thumbnail", value=False), "use_thumbnail is False"),
        (_set("downsample_ratio", value=0.3), "downsample_ratio is 0.3"),
        (_set("force_image_size", value=224), "force_image_size is 224, only 56"),
        (_set("vision_config", "norm_type", value="batch_norm"), "norm_type is 'batch_norm'"),
        (_set("vision_config", "qkv_bias", value=None), "no value for qkv_bias"),
        (
            _set("llm_config", "model_type", value="phi3"),
            "llm_config.model_type is 'phi3', only 'qwen2' or 'qwen3' or 'internlm2'",
        ),
        (_set("llm_config", "tie_word_embeddings", value=True), "tie_word_embeddings is True"),
        (_set("llm_config", "use_sliding_window", value=True), "use_sliding_window is True"),
        (_set("llm_config", "rope_scaling", value={"type": "yarn", "factor": 4}), "rope_scaling type is 'yarn'"),
        (_set("llm_config", value=None), "no section llm_config"),
        (_set("llm_config", "hidden_size", value="24"), "doesn't describe a model"),
        (_set("llm_config", "num_attention_heads", value=0), "doesn't describe a model"),
        (_set("llm_config", "hidden_act", value="nope"), "doesn't describe a model"),
        (_set("vision_config", "patch_size", value=0), "doesn't describe a model"),
        (_set("llm_config", "intermediate_size", value=48), "config.json asks for"),
        (_set("llm_config", "num_hidden_layers", value=3), "missing weights, such as model.language_model.layers.2"),
        (_set("llm_config", "num_hidden_layers", value=1), "unexpected weights, such as model.language_model.layers.1"),
        (_set("llm_config", "vocab_size", value=100), "config.json asks for"),
    ],
)
def test_configurations_that_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    write_original(tmp_path, "qwen2")
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    with pytest.raises(CriticError) as caught:
        load(tmp_path)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_biased_internlm2_is_refused(tmp_path: Path) -> None:
    write_original(tmp_path, "internlm2")
    config = json.loads((tmp_path / "config.json").read_text())
    config["llm_config"]["bias"] = True
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CriticError, match=r"llm_config\.bias is True"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("language_model.model.norm.weight", "1 missing weights"),
        ("vision_model.encoder.layers.0.ls1", "1 missing weights"),
    ],
)
def test_a_missing_weight(tmp_path: Path, name: str, message: str) -> None:
    write_original(tmp_path, "qwen2")
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    del weights[name]
    save_file(weights, path)
    with pytest.raises(CriticError, match=message):
        load(tmp_path)


def test_an_unknown_weight(tmp_path: Path) -> None:
    write_original(tmp_path, "qwen2")
    path = tmp_path / "model.safetensors"
    save_file(load_file(path) | {"value_head.weight": torch.zeros(3)}, path)
    with pytest.raises(CriticError, match=r"unexpected weight value_head\.weight"):
        load(tmp_path)


def test_another_image_normalisation(tmp_path: Path) -> None:
    write_original(tmp_path, "qwen2")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5, 0.5, 0.5]}))
    with pytest.raises(CriticError, match="image_mean is"):
        load(tmp_path)


@pytest.mark.parametrize(("setting", "value"), [("dtype", "int8"), ("device", "nowhere"), ("device", "cuda:99")])
def test_unknown_settings(tmp_path: Path, setting: str, value: str) -> None:
    write_original(tmp_path, "qwen2")
    with pytest.raises(ConfigError, match=value):
        load(tmp_path, **{setting: value})
