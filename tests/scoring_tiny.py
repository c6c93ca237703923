"""Tiny random checkpoints for the tests, those in the released layout written by code of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLVisionConfig,
    LlamaConfig,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
    Qwen3Config,
)

SPECIAL = ("<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>")
RENAMED = ("\u2603", "\u2604")
SIDE, PATCH, TOKENS_PER_TILE = 56, 14, 4
HEADS, KV_HEADS, HIDDEN = 6, 2, 24
HEAD_DIM = HIDDEN // HEADS
BYTES = [*range(33, 127), *range(161, 173), *range(174, 256)]
TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% if not loop.last %} | {% endif %}{% endfor %}"
    "{% if add_generation_prompt %} | [assistant]{% endif %}"
)


def write_bpe(folder: Path, extra: tuple[str, ...] = ()) -> int:
    """Byte-level BPE without merges, `extra` tokens behind. Returns the number of ids."""
    symbols = [chr(byte) for byte in BYTES] + [chr(256 + i) for i in range(256 - len(BYTES))]
    folder.joinpath("vocab.json").write_text(json.dumps({symbol: i for i, symbol in enumerate(symbols)}))
    folder.joinpath("merges.txt").write_text("#version: 0.2\n")
    _write_tokenizer_config(
        folder, dict(enumerate((*SPECIAL, *extra), start=256)), tokenizer_class="Qwen2Tokenizer", unk_token=None
    )
    return 256 + len(SPECIAL) + len(extra)


def write_sentencepiece(folder: Path, extra: tuple[str, ...] = ()) -> int:
    """A byte-fallback SentencePiece model without dummy prefix, its last two pieces renamed as InternLM2 does.

    These two are the rarest characters, `RENAMED`.
    """
    sentences = folder / "sentences"
    words = "question solution process assistant user system step one two three + - =\n" * 20
    sentences.write_text(words + "".join(RENAMED))
    sentencepiece.SentencePieceTrainer.train(
        input=str(sentences),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=310,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=1.0,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        user_defined_symbols=["\n", "+", "-"],
        hard_vocab_limit=False,
        minloglevel=2,
    )
    size = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model")).get_piece_size()
    ids = dict(enumerate((*SPECIAL, *extra), start=size - 2)) | {0: "<unk>", 1: "<s>", 2: "</s>"}
    _write_tokenizer_config(folder, ids, tokenizer_class="InternLM2Tokenizer", bos_token="<s>")
    return size + 3 + len(extra)


def _write_tokenizer_config(folder: Path, ids: dict[int, str], **settings: Any) -> None:
    flags = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": True}
    decoder = {str(i): {"content": token, **flags} for i, token in ids.items()}
    folder.joinpath("tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder, **settings}))


def native_model(kind: str, vocabulary: int, large_vision: bool = False) -> InternVLForConditionalGeneration:
    """A random native model; `large_vision` takes the options of the 6B vision tower."""
    vision = InternVLVisionConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=(SIDE, SIDE),
        patch_size=(PATCH, PATCH),
        attention_bias=not large_vision,
        use_qk_norm=large_vision,
        norm_type="rms_norm" if large_vision else "layer_norm",
        layer_norm_eps=1e-6 if large_vision else 1e-4,
    )
    shared = {
        "vocab_size": vocabulary,
        "hidden_size": HIDDEN,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "rope_parameters": {"rope_type": "default", "rope_theta": 50000.0},
    }
    configs = {"qwen2": Qwen2Config, "qwen3": Qwen3Config, "internlm2": LlamaConfig}
    text = configs[kind](**shared, **({"head_dim": HEAD_DIM} if kind == "qwen3" else {}))
    config = InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=vocabulary - 1,
        image_seq_length=TOKENS_PER_TILE,
        tie_word_embeddings=False,
    )
    torch.manual_seed(1)
    model = InternVLForConditionalGeneration(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def original_config(kind: str, vocabulary: int, large_vision: bool = False) -> dict[str, Any]:
    """`config.json` in the released layout."""
    return {
        "model_type": "internvl_chat",
        "auto_map": {"AutoModel": "remote.Code"},
        "ps_version": "v2",
        "select_layer": -1,
        "template": "internvl2_5",
        "downsample_ratio": 0.5,
        "force_image_size": SIDE,
        "pad2square": False,
        "use_thumbnail": True,
        "dynamic_image_size": True,
        "vision_config": {
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "image_size": SIDE,
            "patch_size": PATCH,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-6 if large_vision else 1e-4,
            "norm_type": "rms_norm" if large_vision else "layer_norm",
            "qk_normalization": large_vision,
            "qkv_bias": not large_vision,
        },
        "llm_config": {
            "model_type": kind,
            "vocab_size": vocabulary,
            "hidden_size": HIDDEN,
            "intermediate_size": 40,
            "num_hidden_layers": 2,
            "num_attention_heads": HEADS,
            "num_key_value_heads": KV_HEADS,
            "head_dim": HEAD_DIM,
            "rms_norm_eps": 1e-5,
            "max_position_embeddings": 4096,
            "hidden_act": "silu",
            "rope_theta": 50000,
            "bias": False,
            "rope_scaling": {"type": "dynamic", "factor": 2.0},
        },
    }


def original_weights(model: InternVLForConditionalGeneration, kind: str) -> dict[str, torch.Tensor]:
    """The model's weights under the released names, `qkv` and `wqkv` fused."""
    native, original = dict(model.state_dict()), {}
    for layer in range(2):
        attention = f"model.vision_tower.encoder.layer.{layer}.attention"
        for kind_of_weight in ("weight", "bias"):
            parts = [native.pop(f"{attention}.{letter}_proj.{kind_of_weight}", None) for letter in "qkv"]
            if parts[0] is not None:
                original[f"vision_model.encoder.layers.{layer}.attn.qkv.{kind_of_weight}"] = torch.cat(parts)
        if kind == "internlm2":
            attention = f"model.language_model.layers.{layer}.self_attn"
            query, key, value = (native.pop(f"{attention}.{letter}_proj.weight").chunk(KV_HEADS) for letter in "qkv")
            rows = [block for group in zip(query, key, value, strict=True) for block in group]
            original[f"language_model.model.layers.{layer}.attention.wqkv.weight"] = torch.cat(rows)
    return original | {_original_name(name, kind): tensor for name, tensor in native.items()}


def _original_name(name: str, kind: str) -> str:
    renamings = [
        ("model.vision_tower.embeddings.cls_token", "vision_model.embeddings.class_embedding"),
        ("model.vision_tower.embeddings.position_embeddings", "vision_model.embeddings.position_embedding"),
        ("model.vision_tower.embeddings.patch_embeddings.projection", "vision_model.embeddings.patch_embedding"),
        ("model.vision_tower.encoder.layer", "vision_model.encoder.layers"),
        ("attention.projection_layer", "attn.proj"),
        ("attention.q_norm", "attn.q_norm"),
        ("attention.k_norm", "attn.k_norm"),
        ("layernorm_before", "norm1"),
        ("layernorm_after", "norm2"),
        ("lambda_", "ls"),
        ("model.multi_modal_projector.layer_norm", "mlp1.0"),
        ("model.multi_modal_projector.linear_1", "mlp1.1"),
        ("model.multi_modal_projector.linear_2", "mlp1.3"),
    ]
    if kind != "internlm2":
        renamings += [("model.language_model.", "language_model.model."), ("lm_head", "language_model.lm_head")]
    elif "language_model" in name or "lm_head" in name:
        renamings += [
            ("embed_tokens", "tok_embeddings"),
            ("lm_head", "language_model.output"),
            ("self_attn.o_proj", "attention.wo"),
            ("mlp.gate_proj", "feed_forward.w1"),
            ("mlp.up_proj", "feed_forward.w3"),
            ("mlp.down_proj", "feed_forward.w2"),
            ("input_layernorm", "attention_norm"),
            ("post_attention_layernorm", "ffn_norm"),
            ("model.language_model.", "language_model.model."),
        ]
    for native, original in renamings:
        name = name.replace(native, original)
    return name


def write_original(
    folder: Path, kind: str, parts: int = 1, large_vision: bool = False, extra: tuple[str, ...] = ()
) -> InternVLForConditionalGeneration:
    """A whole checkpoint folder in the released layout, in `parts` weight files. Returns the same model, native."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = (write_sentencepiece if kind == "internlm2" else write_bpe)(folder, extra)
    model = native_model(kind, vocabulary, large_vision)
    folder.joinpath("config.json").write_text(json.dumps(original_config(kind, vocabulary, large_vision)))
    weights = {name: tensor.contiguous() for name, tensor in original_weights(model, kind).items()}
    if parts == 1:
        save_file(weights, folder / "model.safetensors")
        return model
    files = [f"model-{part + 1:05d}-of-{parts:05d}.safetensors" for part in range(parts)]
    weight_map = {name: files[i % parts] for i, name in enumerate(sorted(weights))}
    for file in files:
        save_file({name: weights[name] for name in weights if weight_map[name] == file}, folder / file)
    folder.joinpath("model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return model


def write_native(folder: Path, tied: bool) -> Any:
    """A random checkpoint in transformers' layout, whose configuration doesn't say whether it is tied."""
    vocabulary = write_bpe(folder)
    model = native_model("qwen2", vocabulary)
    if tied:
        model.config.tie_word_embeddings = True
        model.lm_head.weight = model.get_input_embeddings().weight
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("tie_word_embeddings", None)
    (folder / "config.json").write_text(json.dumps(config))
    return model


def write_text_model(folder: Path, kind: str, **settings: Any) -> Any:
    """A random causal language model with a chat template; `settings` change its configuration."""
    vocabulary = write_bpe(folder)
    bpe = Qwen2Tokenizer.from_pretrained(folder)
    special = {"additional_special_tokens": list(SPECIAL), "chat_template": TEMPLATE}
    PreTrainedTokenizerFast(tokenizer_object=bpe.backend_tokenizer, **special).save_pretrained(folder)
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        **settings,
    }
    torch.manual_seed(2)
    model: Any
    if kind == "mistral":
        model = MistralForCausalLM(MistralConfig(**sizes, head_dim=4, eos_token_id=257))
    else:
        model = Qwen2ForCausalLM(Qwen2Config(**sizes, eos_token_id=257))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(folder)
    return model.eval()


def logits(model: Any) -> torch.Tensor:
    """All logits for a fixed picture and text."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, SIDE, SIDE, generator=generator)
    with torch.inference_mode():
        features = model.get_image_features(pixels, return_dict=True).pooler_output
        ids = torch.arange(40)[None]
        embeddings = model.get_input_embeddings()(ids)
        embeddings[0, 3:11] = features.flatten(0, 1)
        result: torch.Tensor = model(inputs_embeds=embeddings).logits
    return result
