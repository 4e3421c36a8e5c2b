"""The tensor entries that the units of a channel group own, as the rows of a matrix."""

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap, owned_slices


def group_slices(
    state: Mapping[str, Tensor], channel_map: ChannelMap, index: int
) -> list[Float[Tensor, "width features"]]:
    """All entries that the units of one group own: a matrix per parameter and axis, a row per unit.

    Args:
        state: Tensors of the network.
        channel_map: Its channel groups.
        index: Position of the group in `channel_map.groups`.
    """
    return [rows for _, rows in _owned(state, channel_map, index)]


def relative_slices(
    state: Mapping[str, Tensor], channel_map: ChannelMap, index: int, *, written_by: Collection[str] | None = None
) -> Float[Tensor, "width all_features"]:
    """The same in one matrix, in double precision on the CPU, each tensor divided by its Frobenius norm.

    So a tensor with large entries does not dominate, and squared distances are shares of the tensors' squares.

    Args:
        state: Tensors of the network.
        channel_map: Its channel groups.
        index: Position of the group in `channel_map.groups`.
        written_by: Only the output axes of these tensors; None: all entries.
    """
    return torch.cat(
        [
            torch.empty(channel_map.groups[index].width, 0, dtype=torch.float64),
            *(
                rows.cpu().double()
                / state[name].detach().cpu().double().norm().clamp_min(torch.finfo(torch.float64).tiny)
                for name, rows in _owned(state, channel_map, index, written_by)
            ),
        ],
        dim=1,
    )


def _owned(
    state: Mapping[str, Tensor], channel_map: ChannelMap, index: int, written_by: Collection[str] | None = None
) -> list[tuple[str, Float[Tensor, "width features"]]]:
    return [
        (owned.tensor, owned_slices(state, owned).detach())
        for owned in channel_map.owned_axes()
        if owned.group_index == index
        and owned.tensor in channel_map.parameters
        and (written_by is None or (owned.tensor in written_by and owned.layout.role == "output"))
    ]
