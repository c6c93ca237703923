"""Attention in two parts: to keys that all sequences share, and causally within each sequence.

A softmax over two sets of keys is the mean of the softmaxes over each, weighted by their sums of exponentials; so a
part is computed together with the logarithm of its sum (log-sum-exp), and the parts are merged afterwards. The shared
keys and values stay one tensor whatever the number of sequences, and nothing is copied for it. Every kernel here
returns its log-sum-exp; which one runs depends on the device, the dtype and what this build of torch has.

Shapes: T tokens of all sequences one after another, P shared tokens, K key/value heads of G query heads each, D
features of a head. Queries are [T, K * G, D], keys and values [T, K, D] or [P, K, D].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

KeyValue = tuple[Any, Any]
Part = tuple[Any, Any]
"""(output [K, G, S, D], log-sum-exp [K, G, S] in float32, natural logarithm)"""

Kernel = Callable[[Any, Any, Any, bool, float], Part]
"""(query [K, G, S, D], key [K, G, L, D], value [K, G, L, D], causal, scale). Any of them may be a view, key and value
are expanded ones; causal needs S = L."""


def kernel_for(query: Any) -> Kernel:
    """The fastest kernel for the device, dtype and head width of `query` that this build of torch has."""
    import torch

    if query.device.type == "cpu" and hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu"):
        return cpu_flash
    if query.device.type == "cuda" and query.shape[-1] % 8 == 0:
        half = query.dtype in (torch.float16, torch.bfloat16)
        if half and query.shape[-1] <= 256 and torch.cuda.get_device_capability(query.device) >= (8, 0):
            return cuda_flash
        return cuda_efficient
    return plain_kernel


def shared_and_own(
    query: Any, key: Any, value: Any, lengths: Sequence[int], shared: KeyValue | None, scale: float
) -> Any:
    """Attention of sequences of these `lengths` to the `shared` (key, value) and each causally to itself: [T, H, D]."""
    import torch

    kernel, heads = kernel_for(query), key.shape[1]
    parts = [
        kernel(*_views(q, k, v, heads), True, scale)
        for q, k, v in zip(query.split(lengths), key.split(lengths), value.split(lengths), strict=True)
    ]
    if shared is None:
        return _joined(torch.cat([output for output, _ in parts], 2))
    return _joined(merge(kernel(*_views(query, *shared, heads), False, scale), _one_after_another(parts)))


def shared_and_own_at(
    query: Any, key: Any, value: Any, positions: Sequence[Any], lengths: Sequence[int], shared: KeyValue, scale: float
) -> Any:
    """As `shared_and_own` for some queries only: per sequence their `positions` [S] within it, S >= 1."""
    import torch

    kernel, heads = kernel_for(query), key.shape[1]
    queries = query.split([len(asked) for asked in positions])
    parts = []
    for q, k, v, asked in zip(queries, key.split(lengths), value.split(lengths), positions, strict=True):
        visible = asked[:, None] >= torch.arange(len(k), device=k.device)
        parts.append(plain_kernel(*_views(q, k, v, heads), visible, scale))
    return _joined(merge(kernel(*_views(query, *shared, heads), False, scale), _one_after_another(parts)))


def merge(first: Part, second: Part) -> Any:
    """The output over both sets of keys, weighed in float32."""
    import torch

    weight = torch.sigmoid(second[1] - first[1])[..., None]
    return torch.lerp(first[0].float(), second[0].float(), weight).to(first[0].dtype)


def plain_kernel(query: Any, key: Any, value: Any, visible: Any, scale: float) -> Part:
    """Matrix products and a softmax in float32. `visible`: true for causal, false for all, or a mask [S, L]."""
    import torch

    scores = query.float() @ key.float().transpose(-1, -2) * scale
    if visible is True:
        visible = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if visible is not False:
        scores = scores.masked_fill(~visible, -torch.inf)
    total = scores.logsumexp(-1)
    return ((scores - total[..., None]).exp() @ value.float()).to(value.dtype), total


def cpu_flash(query: Any, key: Any, value: Any, causal: bool, scale: float) -> Part:
    """torch's blocked kernel for the CPU."""
    import torch

    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    output, total = flash(query, key, value, 0.0, causal, scale=scale)
    return output, total


def cuda_flash(query: Any, key: Any, value: Any, causal: bool, scale: float) -> Part:
    """Flash attention, float16 and bfloat16 only."""
    import torch

    flash = torch.ops.aten._scaled_dot_product_flash_attention
    output, total, *_ = flash(query, key, value, 0.0, causal, False, scale=scale)
    return output, total


def cuda_efficient(query: Any, key: Any, value: Any, causal: bool, scale: float) -> Part:
    """The memory-efficient kernel, which pads its log-sum-exp to a multiple of 32 queries."""
    import torch

    efficient = torch.ops.aten._scaled_dot_product_efficient_attention
    output, total, *_ = efficient(query, key, value, None, True, 0.0, causal, scale=scale)
    return output, total[..., : query.shape[-2]]


def _one_after_another(parts: Sequence[Part]) -> Part:
    import torch

    return torch.cat([output for output, _ in parts], 2), torch.cat([total for _, total in parts], 2)


def _views(query: Any, key: Any, value: Any, heads: int) -> tuple[Any, Any, Any]:
    """Query, key and value as `Kernel` takes them: the key/value heads as the batch, their query heads as heads."""
    group = query.shape[1] // heads
    query = query.unflatten(1, (heads, group)).permute(1, 2, 0, 3)
    key, value = (heads.transpose(0, 1)[:, None].expand(-1, group, -1, -1) for heads in (key, value))
    return query, key, value


def _joined(output: Any) -> Any:
    """[K, G, T, D] -> [T, K * G, D]."""
    return output.permute(2, 0, 1, 3).flatten(1, 2)
