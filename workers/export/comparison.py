"""Compares what a network and an exported form of it compute."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from jobs.errors import BadNetworkError

TOLERANCE = 1e-4
"""Largest difference between the outputs, relative to the largest output: another runtime sums in another order."""


def compare(what: str, exported: Callable[[Tensor], Tensor], model: nn.Module, images: Tensor) -> float:
    """The largest difference between two networks' outputs, relative to the largest output.

    Args:
        what: The exported form, within a sentence: `the ONNX graph`.
        exported: From a batch of images of any size to the outputs.
        model: The network, on the CPU, in evaluation mode.
        images: A batch of at least two images; its first one is compared alone, too.

    Raises:
        BadNetworkError: The outputs differ by more than `TOLERANCE`, or in shape.
    """
    worst = 0.0
    for batch in (images, images[:1]):
        with torch.inference_mode():
            expected, found = model(batch), exported(batch)
        if found.shape != expected.shape:
            raise BadNetworkError(f"{what} gives {tuple(found.shape)}, the network {tuple(expected.shape)}")
        difference = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
        if not difference <= TOLERANCE:  # NaN, too
            raise BadNetworkError(f"outputs of {what} differ by {difference:.1e} of the largest output")
        worst = max(worst, difference)
    return worst
