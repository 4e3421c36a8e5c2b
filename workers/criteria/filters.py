"""The filters of a network: the weights that produce a unit, as rows.

Where no weight produces it (a selected channel), the weights that read it are used instead. Biases, norms, and layers
that read the outputs of others are no part of a filter.
"""

from collections.abc import Mapping
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap, owned_slices


def filter_blocks(
    tensors: Mapping[str, Tensor], channel_map: ChannelMap
) -> dict[str, list[Float[Tensor, "_units _weights"]]]:
    """Group name -> one matrix per layer that produces it: row u is what produces unit u, in double precision.

    Args:
        tensors: Name -> the network's weights, or anything of their shapes, such as gradients.
        channel_map: Its channel groups.
    """
    names = set(filter_names(channel_map))
    blocks: dict[str, list[Tensor]] = {group.name: [] for group in channel_map.groups}
    axes = [owned for owned in channel_map.owned_axes() if owned.tensor in names]
    made = {owned.group_index for owned in axes if owned.layout.role == "output"}
    for owned in axes:  # of a transposed convolution the output axis is the second one
        if owned.layout.role == ("output" if owned.group_index in made else "input"):
            blocks[owned.group.name].append(owned_slices(tensors, owned).detach().double())
    return blocks


def filters(tensors: Mapping[str, Tensor], channel_map: ChannelMap) -> dict[str, Float[Tensor, "_units _weights"]]:
    """The same with all layers of a group side by side: row u is the whole filter of unit u."""
    return {name: torch.cat(blocks, dim=1) for name, blocks in filter_blocks(tensors, channel_map).items()}


def absolute_sums(tensors: Mapping[str, Tensor], channel_map: ChannelMap) -> dict[str, Float[Tensor, " _units"]]:
    """Group name -> sum of the absolute entries of each unit's filter, over all layers of its group."""
    return {
        name: reduce(torch.add, [rows.abs().sum(1) for rows in blocks])
        for name, blocks in filter_blocks(tensors, channel_map).items()
    }


def filter_names(channel_map: ChannelMap) -> list[str]:
    """The parameters that filters are made of."""
    return [
        name for name, layouts in channel_map.tensors.items() if name in channel_map.parameters and len(layouts) >= 2
    ]
