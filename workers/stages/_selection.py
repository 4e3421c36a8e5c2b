"""Removes channels from a network, and checks that the sliced network equals the masked one."""

import json
from collections.abc import Mapping

import torch
from jaxtyping import Int64
from torch import Tensor

from jobs.stages.common import PruningRound
from workers.artifacts import CHANNELS_FILE
from workers.channels import InDouble, largest_difference, leaving_out, outputs_of, restrict, select, without
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
        ValueError: The two differ: the channel analysis was wrong. In the masked one statistics over channels are taken
            over those that stay.
    """
    sliced = select(network.state, network.channel_map, kept)
    masked = rebuild(network.recipe, without(network.state, network.channel_map, kept)).double()
    smaller = rebuild(network.recipe, sliced).double()
    with torch.inference_mode(), InDouble():
        with leaving_out():
            expected = outputs_of(masked, inputs, network.recipe.parts)
        found = outputs_of(smaller, inputs, network.recipe.parts)
    difference = largest_difference(found, expected)
    if not difference <= _TOLERANCE:
        raise ValueError(f"sliced and masked network differ by {difference:.1e} of the largest output")
    return sliced


def channels_left(network: StoredNetwork, widths: Mapping[str, int], number: PruningRound | None) -> dict[str, bytes]:
    """The file of the channel groups that a round leaves to the next one; none after the last one.

    Args:
        network: The network that was pruned.
        widths: Group name -> channels that stay.
        number: The round; None where there is only one.
    """
    if number is None or number.number == number.rounds:
        return {}
    return {CHANNELS_FILE: json.dumps(restrict(network.channel_map, widths).to_json()).encode()}
