"""FP8 weights that are kept."""

from __future__ import annotations

import pytest
import torch

from train.fp8 import Fp8Linear, dequantized, keep


def quantized(weight: torch.Tensor, *, block: int | None = None) -> dict[str, torch.Tensor]:
    """As a checkpoint stores `model.language_model.layers.0.mlp.up_proj.weight`."""
    name = "language_model.model.layers.0.mlp.up_proj.weight"
    scale = weight.abs().max() / 448
    spread = scale
    if block is not None:
        rows, columns = (-(-size // block) for size in weight.shape)
        scale = scale * torch.linspace(1, 2, rows * columns).reshape(rows, columns)
        spread = scale.repeat_interleave(block, 0).repeat_interleave(block, 1)[: weight.shape[0], : weight.shape[1]]
    return {name: (weight / spread).to(torch.float8_e4m3fn), f"{name}_scale_inv": scale}


def model(weight: torch.Tensor) -> torch.nn.Module:
    """A module whose names lead to a projection as the model's own do."""
    layer = torch.nn.ModuleDict({"up_proj": torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)})
    tower = torch.nn.ModuleDict({"layers": torch.nn.ModuleList([torch.nn.ModuleDict({"mlp": layer})])})
    return torch.nn.ModuleDict({"language_model": tower, "vision": tower}).to(torch.bfloat16)


@pytest.mark.parametrize("block", [None, 16])
def test_kept_fp8_weights_give_what_dequantised_ones_give(block: int | None) -> None:
    torch.manual_seed(0)
    stored = quantized(torch.randn(24, 40), block=block)
    (weight,) = dequantized(stored, torch.bfloat16).values()
    found = model(weight)
    assert keep(found, stored) == 1
    kept = found.get_submodule("language_model.layers.0.mlp.up_proj")
    assert isinstance(kept, Fp8Linear)
    assert kept.quantized.dtype is torch.float8_e4m3fn
    assert torch.equal(kept.weight, weight)
    assert sum(tensor.numel() * tensor.element_size() for tensor in kept.buffers()) < weight.numel() * 1.1

    outputs, gradients = [], []
    for layer in (kept, lambda inputs: inputs @ weight.T):
        inputs = torch.randn(3, 40, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16).requires_grad_()
        output = layer(inputs)
        output.square().sum().backward()
        outputs.append(output)
        gradients.append(inputs.grad)
    assert torch.equal(*outputs)
    assert torch.equal(*gradients)
