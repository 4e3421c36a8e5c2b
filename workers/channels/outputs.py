"""Compares the outputs of two networks, and those of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

Outputs: TypeAlias = list[Tensor]
"""The tensors that a network returns, and then those that its parts return."""


def outputs_of(model: nn.Module, images: Tensor, parts: Sequence[str]) -> Outputs:
    """The outputs of one pass, of the network and of its parts: a detector may find nothing, its backbone always does.

    Args:
        model: on the device of the images.
        images: a batch of inputs.
        parts: dotted names of the parts.
    """
    found: Outputs = []
    handles = [
        model.get_submodule(path).register_forward_hook(lambda _, __, result: found.extend(_floats(result)))
        for path in parts
    ]
    try:
        return [*_floats(model(images)), *found]
    finally:
        for handle in handles:
            handle.remove()


def largest_difference(found: Outputs, expected: Outputs) -> float:
    """The largest difference of two networks' outputs, relative to the largest number in the tensor; NaN stays NaN.

    Infinite where the tensors are of other shapes.
    """
    if [tensor.shape for tensor in found] != [tensor.shape for tensor in expected]:
        return float("inf")
    differences = [
        (ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-30)
        for ours, theirs in zip(found, expected, strict=True)
        if ours.numel()
    ]
    return float(torch.stack(differences).max()) if differences else 0.0


def _floats(result: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
