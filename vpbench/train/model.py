"""The model as training runs it: the loss on label tokens only.

The loss is the cross-entropy of the label over the whole vocabulary, as the released critics were trained: it is the
cross-entropy between `+` and `-`, which is all that scoring looks at, and a term that puts the probability on these
two, which is what generation backends need. The head runs where labels are predicted and nowhere else. The turn's end,
which the released training predicts as well, is left out: it is always the same and would halve the labels' weight.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from vpbench.train.recipe import Recipe

LANGUAGE_MODEL_LINEAR = r"(?!.*vision_tower).*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


class LabelModel(nn.Module):  # type: ignore[misc]
    """Wraps a causal language model or a native `InternVLForConditionalGeneration`; its attention must handle packed
    rows by position ids."""

    def __init__(self, model: Any, image_token_id: int, labels: tuple[int, int]) -> None:
        super().__init__()
        self.model = model
        self.image_token_id = image_token_id
        self.labels = list(labels)

    def forward(
        self,
        input_ids: Any,
        readouts: Any,
        targets: Any,
        weights: Any,
        pixels: Any = None,
        tile_order: Any = None,
        position_ids: Any = None,
    ) -> dict[str, Any]:
        """Loss, and logits of `+` and `-` [labels, 2] in float32.

        `input_ids` [rows, width]; `readouts` [labels] are positions in the flattened rows, where the `targets` [labels]
        (token ids) are predicted; their cross-entropies are summed with `weights`. `tile_order` says which of `pixels`
        [tiles, 3, side, side] (None: text alone) the image tokens stand for, in order. `position_ids` [1, width]
        restart with every solution of a packed row.
        """
        embedded = self.model.get_input_embeddings()(input_ids)
        if pixels is not None:
            features = self.model.get_image_features(pixels, return_dict=True).pooler_output
            shown = (input_ids == self.image_token_id)[..., None].expand_as(embedded)
            embedded = embedded.masked_scatter(shown, features[tile_order].to(embedded.dtype))
        decoded = self.model.get_decoder()(inputs_embeds=embedded, position_ids=position_ids, use_cache=False)
        read = decoded.last_hidden_state.flatten(0, 1)[readouts]
        logits = self.model.get_output_embeddings()(read).float()
        loss = nn.functional.cross_entropy(logits, targets, reduction="none") @ weights
        return {"loss": loss, "logits": logits[:, self.labels]}


def set_attention(model: Any, recipe: Recipe) -> None:
    """Set the fastest attention that is installed for bfloat16; float32 keeps torch's fused one.

    On a GPU flash attention, if it is installed, which skips what packed solutions don't see of each other; on a CPU
    plain matrix products, since the backward pass of torch's fused kernel takes several times as long (measured).
    """
    import torch
    from transformers.utils import is_flash_attn_2_available

    if not recipe.bf16:
        return
    if not torch.cuda.is_available():
        model.get_decoder().set_attn_implementation("eager")
    elif recipe.packing and is_flash_attn_2_available():
        model.get_decoder().set_attn_implementation("flash_attention_2")


def with_adapters(model: Any, rank: int) -> Any:
    """The model as peft's, with trainable adapters of this rank in all linear maps of the language model's layers."""
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=LANGUAGE_MODEL_LINEAR)
    return get_peft_model(model, settings)
