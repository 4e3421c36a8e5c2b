"""The gate of export: the network has to leave torch as a graph that computes the same."""

import torch
from torch import nn

from jobs.errors import BadNetworkError

_TOLERANCE = 1e-4
"""Of the largest output: the exported graph may add up in another order."""


def check_export(model: nn.Module, images: torch.Tensor) -> None:
    """Export a network and compare.

    Args:
        model: In evaluation mode, on the CPU.
        images: A batch that it is run on.

    Raises:
        BadNetworkError: It cannot be exported, or the exported graph computes something else.
    """
    with torch.no_grad():
        expected = model(images)
        try:
            found = torch.export.export(model, (images,)).module()(images)
        except Exception as error:  # whatever the exporter or the network raises, the network does not export
            raise BadNetworkError(f"the network cannot be exported ({type(error).__name__}: {error})") from error
    difference = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= _TOLERANCE:
        raise BadNetworkError(f"the exported network differs by {difference:.1e} of the largest output")
