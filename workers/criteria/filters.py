"""The filters of a network: the weights that produce a unit, as rows.

Where no weight produces it (a selected channel), those that read it stand for them. Biases, norms, and the layers that
read what others produce are no part of a filter. Knows tensors and layouts; does not know what the rows are for.
"""

from collections.abc import Mapping
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap, unit_slices


def filter_blocks(
    tensors: Mapping[str, Tensor], channel_map: ChannelMap
) -> dict[str, list[Float[Tensor, "_units _weights"]]]:
    """Group name -> one matrix per layer that produces it: row u is what produces unit u, in double precision.

    Args:
        tensors: Name -> the network's weights, or anything of their shapes, such as gradients.
        channel_map: Its channel groups.
    """
    names = filter_names(channel_map)
    blocks: dict[str, list[Tensor]] = {group.name: [] for group in channel_map.groups}
    made = {
        index
        for name in names
        for layout in channel_map.tensors[name]
        for index in layout.present()
        if layout.role == "output"
    }
    for name in names:
        layouts = channel_map.tensors[name]
        for axis, layout in enumerate(layouts):  # of a transposed convolution the output axis is the second one
            for index in layout.present():
                if layout.role == ("output" if index in made else "input"):
                    rows = unit_slices(tensors[name], layouts, axis, index)
                    blocks[channel_map.groups[index].name].append(rows.detach().double())
    return blocks


def filters(tensors: Mapping[str, Tensor], channel_map: ChannelMap) -> dict[str, Float[Tensor, "_units _weights"]]:
    """The same with all layers of a group side by side: row u is all that produces unit u."""
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
