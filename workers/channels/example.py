"""The fixed example inputs: for networks whose work depends on the numbers in an image, such as detectors."""

from __future__ import annotations

import torch
from torch import nn

from workers.channels.trace import dtype_of
from workers.inputs import Inputs, InputsLike, as_spec, map_inputs


def example_inputs(model: nn.Module, inputs: InputsLike, batch_size: int) -> Inputs:
    """A batch of one sample many times, always the same one, on the CPU.

    Fractions are uniform noise in [0, 1), of the network's type; whole numbers are random within their range.

    Args:
        model: the network.
        inputs: what it takes.
        batch_size: how many times.
    """
    sample = as_spec(inputs).draw(1, torch.Generator().manual_seed(0))
    dtype = dtype_of(model)
    return map_inputs(
        lambda one: (one.to(dtype) if one.is_floating_point() else one).repeat(batch_size, *[1] * (one.ndim - 1)),
        sample,
    )
