"""The export gate: the network has to export as a graph with the same outputs."""

import torch
from torch import nn

from jobs.errors import BadNetworkError
from workers.channels import largest_difference
from workers.inputs import Inputs, call, call_arguments
from workers.nested import floats_of, returning_leaves

_TOLERANCE = 1e-4
"""Relative to the largest output: the exported graph may sum in another order."""


def check_export(model: nn.Module, inputs: Inputs) -> None:
    """Export a network and compare outputs.

    Args:
        model: In evaluation mode, on the CPU.
        inputs: A batch.

    Raises:
        BadNetworkError: It cannot be exported, or the outputs of the exported graph differ.
    """
    args, kwargs = call_arguments(inputs)
    with torch.no_grad():
        expected = floats_of(call(model, inputs))
        try:
            with returning_leaves(model):
                program = torch.export.export(model, args, kwargs)
            found = floats_of(call(program.module(), inputs))
        except Exception as error:  # the exporter or the network may raise anything
            raise BadNetworkError(f"the network cannot be exported ({type(error).__name__}: {error})") from error
    difference = largest_difference(found, expected)
    if not difference <= _TOLERANCE:
        raise BadNetworkError(f"the exported network differs by {difference:.1e} of the largest output")
