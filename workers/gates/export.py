"""The export gate: the network has to export as a graph with the same outputs."""

import torch
from torch import nn

from jobs.errors import BadNetworkError

_TOLERANCE = 1e-4
"""Relative to the largest output: the exported graph may sum in another order."""


def check_export(model: nn.Module, images: torch.Tensor) -> None:
    """Export a network and compare outputs.

    Args:
        model: In evaluation mode, on the CPU.
        images: A batch of inputs.

    Raises:
        BadNetworkError: It cannot be exported, or the outputs of the exported graph differ.
    """
    with torch.no_grad():
        expected = model(images)
        try:
            found = torch.export.export(model, (images,)).module()(images)
        except Exception as error:  # the exporter or the network may raise anything
            raise BadNetworkError(f"the network cannot be exported ({type(error).__name__}: {error})") from error
    difference = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= _TOLERANCE:
        raise BadNetworkError(f"the exported network differs by {difference:.1e} of the largest output")
