"""Compares what a network and an exported form of it compute."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from jobs.errors import BadNetworkError
from workers.channels import largest_difference
from workers.inputs import Inputs, call, take
from workers.nested import floats_of

TOLERANCE = 1e-4
"""Largest difference between the outputs, relative to the largest output: another runtime sums in another order."""


def compare(what: str, exported: Callable[..., Any], model: nn.Module, inputs: Inputs) -> float:
    """The largest difference between two networks' outputs, relative to the largest output.

    Args:
        what: The exported form, within a sentence: `the ONNX graph`.
        exported: Called as the network, with a batch of any size; gives its outputs in the same order.
        model: The network, on the CPU, in evaluation mode.
        inputs: A batch of at least two samples; its first one is compared alone, too.

    Raises:
        BadNetworkError: The outputs differ by more than `TOLERANCE`, or in shape.
    """
    worst = 0.0
    for batch in (inputs, take(inputs, slice(1))):
        with torch.inference_mode():
            expected, found = floats_of(call(model, batch)), floats_of(call(exported, batch))
        if [each.shape for each in found] != [each.shape for each in expected]:
            raise BadNetworkError(f"{what} gives {_shapes(found)}, the network {_shapes(expected)}")
        difference = largest_difference(found, expected)
        if not difference <= TOLERANCE:  # NaN, too
            raise BadNetworkError(f"outputs of {what} differ by {difference:.1e} of the largest output")
        worst = max(worst, difference)
    return worst


def _shapes(tensors: Sequence[Tensor]) -> str:
    return ", ".join(str(tuple(each.shape)) for each in tensors) or "no fractions"
