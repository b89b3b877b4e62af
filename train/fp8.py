"""FP8 weights of a checkpoint: turned into another precision when loaded, or kept and turned where they are used.

A checkpoint holds `<name>.weight` in 8-bit floating point and `<name>.weight_scale_inv`, one number for the tensor or
one for each block of its rows and columns; their product is the weight. transformers can do either, but with kernels
that need triton, and does not train through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch

_SCALE = "_scale_inv"


def dequantized(stored: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """FP8 weights times their scales, in `dtype`; the scales themselves and the activations' are left out."""
    weights = {}
    for name, tensor in stored.items():
        if name.endswith((_SCALE, "activation_scale")):
            continue
        scale = stored.get(f"{name}{_SCALE}")
        weights[name] = tensor if scale is None else _product(tensor, scale, dtype)
    return weights


def keep(model: torch.nn.Module, stored: Mapping[str, torch.Tensor]) -> int:
    """Put the FP8 weights of a checkpoint back into the model that was loaded from it; return how many there are.

    Checkpoint and model may name what stands before a layer's number differently, so a projection of the language
    model is found by what follows it.
    """
    quantized = {_place(name): name for name in stored if f"{name}{_SCALE}" in stored}
    found = 0
    for name, module in list(model.named_modules()):
        source = quantized.get(_place(f"{name}.weight"))
        if source is None or not isinstance(module, torch.nn.Linear) or "vision" in name:
            continue
        kept = Fp8Linear(module, stored[source], stored[f"{source}{_SCALE}"])
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, kept)
        found += 1
    return found


class Fp8Linear(torch.nn.Linear):  # type: ignore[misc]
    """A frozen linear layer whose weight stays in FP8; each use makes the full weight anew, and drops it."""

    def __init__(self, layer: torch.nn.Linear, weight: torch.Tensor, scale: torch.Tensor) -> None:
        torch.nn.Module.__init__(self)
        self.in_features, self.out_features, self.bias = layer.in_features, layer.out_features, layer.bias
        self.dtype = layer.weight.dtype
        self.register_buffer("quantized", weight)
        self.register_buffer("scale", scale)

    @property
    def weight(self) -> torch.Tensor:
        """The weight as it is used; peft asks it for device and precision."""
        return _product(cast("torch.Tensor", self.quantized), cast("torch.Tensor", self.scale), self.dtype)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """inputs (..., in_features) to (..., out_features), in the layer's precision."""
        output: torch.Tensor = _Product.apply(inputs, self.quantized, self.scale, self.dtype)
        return output if self.bias is None else output + self.bias


class _Product(torch.autograd.Function):  # type: ignore[misc]
    """inputs @ weight.T that keeps no full weight for the backward pass, as nn.Linear would."""

    @staticmethod
    def forward(
        context: Any, inputs: torch.Tensor, quantized: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        context.save_for_backward(quantized, scale)
        context.dtypes = dtype, inputs.dtype
        return inputs.to(dtype) @ _product(quantized, scale, dtype).T

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        quantized, scale = context.saved_tensors
        dtype, wanted = context.dtypes
        return (gradients[0].to(dtype) @ _product(quantized, scale, dtype)).to(wanted), None, None, None


def _place(name: str) -> str:
    return name[name.find("layers.") :] if "layers." in name else name


def _product(tensor: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return (tensor.float() * _spread(scale, tensor)).to(dtype)


def _spread(scale: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    scale = scale.float()
    if scale.ndim < weight.ndim:
        return scale
    for axis, size in enumerate(weight.shape):
        block = -(-size // scale.shape[axis])
        scale = scale.repeat_interleave(block, dim=axis).narrow(axis, 0, size)
    return scale
