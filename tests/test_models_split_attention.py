"""Attention in two parts: which kernel a device gets, and that the parts are one softmax."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vpbench.models import split_attention


@pytest.mark.parametrize(
    ("device", "dtype", "width", "capability", "kernel"),
    [
        ("cpu", torch.float32, 64, None, "cpu_flash"),
        ("cuda", torch.bfloat16, 128, (9, 0), "cuda_flash"),
        ("cuda", torch.float16, 64, (7, 5), "cuda_efficient"),
        ("cuda", torch.float32, 64, (9, 0), "cuda_efficient"),
        ("cuda", torch.bfloat16, 20, (9, 0), "plain_kernel"),
        ("mps", torch.float16, 64, None, "plain_kernel"),
    ],
)
def test_the_kernel_of_a_device(
    monkeypatch: pytest.MonkeyPatch, device: str, dtype: Any, width: int, capability: Any, kernel: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    query = SimpleNamespace(device=SimpleNamespace(type=device), dtype=dtype, shape=(5, 4, width))
    assert split_attention.kernel_for(query) is getattr(split_attention, kernel)


@pytest.mark.parametrize("kernel", [split_attention.plain_kernel, split_attention.cpu_flash])
@pytest.mark.parametrize("group", [1, 3])
def test_two_parts_are_one_softmax(monkeypatch: pytest.MonkeyPatch, kernel: Any, group: int) -> None:
    """Against torch's own attention over shared and own keys together."""
    generator = torch.Generator().manual_seed(0)
    lengths, heads, width = [3, 1, 6], 2, 8
    query, key, value, shared_key, shared_value = (
        3 * torch.randn(count, each, width, generator=generator)
        for count, each in ((10, heads * group), (10, heads), (10, heads), (5, heads), (5, heads))
    )
    monkeypatch.setattr(split_attention, "kernel_for", lambda _: kernel)
    found = split_attention.shared_and_own(query, key, value, lengths, (shared_key, shared_value), width**-0.5)
    at = [torch.tensor(places) for places in ([0, 2], [0], [1, 3, 5])]
    rows = torch.tensor([0, 2, 3, 5, 7, 9])
    some = split_attention.shared_and_own_at(
        query[rows], key, value, at, lengths, (shared_key, shared_value), width**-0.5
    )
    wanted = []
    for q, k, v in zip(query.split(lengths), key.split(lengths), value.split(lengths), strict=True):
        mask = torch.cat([torch.ones(len(q), 5), torch.ones(len(q), len(q)).tril()], 1).bool()
        inputs = (q, torch.cat([shared_key, k]), torch.cat([shared_value, v]))
        output = torch.nn.functional.scaled_dot_product_attention(
            *(each.transpose(0, 1)[None] for each in inputs), attn_mask=mask, enable_gqa=True
        )
        wanted.append(output[0].transpose(0, 1))
    torch.testing.assert_close(found, torch.cat(wanted), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(some, torch.cat(wanted)[rows], atol=1e-5, rtol=1e-5)
