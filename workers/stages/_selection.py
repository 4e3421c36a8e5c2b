"""Removes channels from a network, and checks that the sliced network equals the masked one."""

from collections.abc import Mapping

import torch
from jaxtyping import Int64
from torch import Tensor

from workers.channels import largest_difference, mask, outputs_of, select
from workers.inputs import Inputs
from workers.network import StoredNetwork, rebuild

_TOLERANCE = 1e-6


def selected(network: StoredNetwork, kept: Mapping[str, Int64[Tensor, " _"]], inputs: Inputs) -> dict[str, Tensor]:
    """The tensors of the network with only these channels.

    Args:
        network: The whole network.
        kept: Group name -> channels that stay, ascending.
        inputs: A batch to compare the sliced with the masked network on, in double precision.

    Raises:
        ValueError: The two differ: the channel analysis was wrong.
    """
    sliced = select(network.state, network.channel_map, kept)
    with torch.inference_mode():
        masked = rebuild(network.recipe, mask(network.state, network.channel_map, kept)).double()
        expected = outputs_of(masked, inputs, network.recipe.parts)
        found = outputs_of(rebuild(network.recipe, sliced).double(), inputs, network.recipe.parts)
    difference = largest_difference(found, expected)
    if not difference <= _TOLERANCE:
        raise ValueError(f"sliced and masked network differ by {difference:.1e} of the largest output")
    return sliced
