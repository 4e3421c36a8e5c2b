"""The error of the weights, or the growth of the loss, as channels of a group are removed.

Errors of weights are fractions that can be compared between groups. A unit's share of a tensor is the sum of its
squares there over that of the whole tensor. Shares, not squares: a layer that is off by 1 % of its own size is off by
about 1 % in its output, however large its weights are. And summed over all tensors that a group owns: an error in
channels that many layers read, as on a residual stream, counts in each.

Pure: needs weights, or losses that were measured elsewhere; no data.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap
from workers.fold import joining_errors
from workers.integral.agglomeration import agglomerate
from workers.integral.slices import relative_slices


def merging_errors(state: Mapping[str, Tensor], channel_map: ChannelMap) -> dict[str, Float[Tensor, " _"]]:
    """The error after k of a group's channels were merged with a neighbour, the cheapest first.

    Args:
        state: Tensors of the network, its channels in the order in which they are samples of functions.
        channel_map: Its channel groups.

    Returns:
        Group name -> squared distance of the channels from the means of their cells, for k = 0 .. n-1.
    """
    return {
        group.name: agglomerate(relative_slices(state, channel_map, index)).errors
        for index, group in enumerate(channel_map.groups)
    }


def folding_errors(state: Mapping[str, Tensor], channel_map: ChannelMap) -> dict[str, Float[Tensor, " _"]]:
    """The error after k of a group's channels were merged with any other, the cheapest first; as `merging_errors`."""
    return {
        group.name: joining_errors(relative_slices(state, channel_map, index))
        for index, group in enumerate(channel_map.groups)
    }


def removal_errors(
    state: Mapping[str, Tensor], channel_map: ChannelMap, scores: Mapping[str, Float[Tensor, " _"]]
) -> dict[str, Float[Tensor, " _"]]:
    """The error after k of a group's channels were removed, the lowest scores first.

    Args:
        state: Tensors of the network.
        channel_map: Its channel groups.
        scores: Group name -> importance of each of its channels.

    Returns:
        Group name -> sum of the shares of the channels that are gone, for k = 0 .. n-1.
    """
    errors = {}
    for index, group in enumerate(channel_map.groups):
        shares = relative_slices(state, channel_map, index).square().sum(1)
        removed = shares[scores[group.name].argsort(descending=True, stable=True).flip(0)]
        errors[group.name] = torch.cat([removed.new_zeros(1), removed.cumsum(0)[:-1]])
    return errors


def loss_curve(width: int, measured: Mapping[int, float]) -> Float[Tensor, " width"]:
    """Growth of the loss after k of a group's channels were removed, for k = 0 .. width-1.

    Linear between measured widths, extrapolated below the smallest of them. Never falls: a smaller loss with fewer
    channels counts as noise.

    Args:
        width: Full width of the group.
        measured: Channels that stay -> loss minus that of the whole network.

    Raises:
        ValueError: Nothing was measured, of a group that has channels to lose.
    """
    if width == 1:
        return torch.zeros(1, dtype=torch.float64)
    if not measured:
        raise ValueError(f"no loss was measured with fewer than all {width} channels of a group")
    points = sorted(((width - kept, max(0.0, loss)) for kept, loss in {**measured, width: 0.0}.items()))
    gone = torch.tensor([point[0] for point in points], dtype=torch.float64)
    losses = torch.tensor([point[1] for point in points], dtype=torch.float64).cummax(0).values
    k = torch.arange(width, dtype=torch.float64)
    right = torch.searchsorted(gone, k).clamp(1, len(gone) - 1)
    slope = (losses[right] - losses[right - 1]) / (gone[right] - gone[right - 1])
    return losses[right - 1] + slope * (k - gone[right - 1])
