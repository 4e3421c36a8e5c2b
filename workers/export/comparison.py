"""Compares what a network and an exported form of it compute."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from jobs.errors import BadNetworkError
from workers.channels import largest_difference
from workers.inputs import Inputs, call, num_samples, take
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
        BadNetworkError: The exported form does not run, or its outputs differ by more than `TOLERANCE`, or in shape.
    """
    worst = 0.0
    for batch in (inputs, take(inputs, slice(1))):
        with torch.inference_mode():
            expected = floats_of(call(model, batch))
            try:
                found = floats_of(call(exported, batch))
            except MemoryError:
                raise
            except Exception as error:  # each runtime has its own kinds
                raise BadNetworkError(
                    f"{what} does not run with a batch of {num_samples(batch)}: {reason(error)}"
                ) from error
        if [each.shape for each in found] != [each.shape for each in expected]:
            raise BadNetworkError(f"{what} gives {_shapes(found)}, the network {_shapes(expected)}")
        difference = largest_difference(found, expected)
        if not difference <= TOLERANCE:  # NaN, too
            raise BadNetworkError(f"outputs of {what} differ by {difference:.1e} of the largest output")
        worst = max(worst, difference)
    return worst


def reason(error: Exception) -> str:
    """The root cause of an exporter's error, in one line."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _shapes(tensors: Sequence[Tensor]) -> str:
    return ", ".join(str(tuple(each.shape)) for each in tensors) or "no fractions"
