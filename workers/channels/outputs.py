"""Compares the outputs of two networks, and those of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from workers.inputs import Inputs, call
from workers.nested import floats_of

Outputs: TypeAlias = list[Tensor]
"""The tensors that a network returns, and then those that its parts return."""


def outputs_of(model: nn.Module, inputs: Inputs, parts: Sequence[str]) -> Outputs:
    """The outputs of one pass, of the network and of its parts: a detector may find nothing, its backbone always does.

    Args:
        model: on the device of the inputs.
        inputs: a batch.
        parts: dotted names of the parts.
    """
    found: Outputs = []
    handles = [
        model.get_submodule(path).register_forward_hook(lambda _, __, result: found.extend(floats_of(result)))
        for path in parts
    ]
    try:
        return [*floats_of(call(model, inputs)), *found]
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
