"""What every stage that makes a smaller network says of it."""

from collections.abc import Mapping

from torch import Tensor

from jobs.identity import Json
from workers.allocation import Allocation
from workers.channels import ChannelMap
from workers.network import Recipe, rebuild, sizes


def measure_smaller(
    recipe: Recipe,
    whole: Mapping[str, Tensor],
    smaller: Mapping[str, Tensor],
    channel_map: ChannelMap,
    allocation: Allocation,
) -> dict[str, Json]:
    """What is left of a network.

    That is the `compression` reached (with a `note` if it is not the one asked for), `params`, `macs`, `size_bytes`,
    the theoretical `speedup` (MACs of the whole network over those that are left), and `widths` and `full_widths`.

    Args:
        recipe: Of the network.
        whole: Its tensors.
        smaller: Those of the smaller network.
        channel_map: Its channel groups.
        allocation: How many units of each were to stay.

    Raises:
        ValueError: The number of parameters is not the predicted one: the channel analysis was wrong.
    """
    measured, full = sizes(rebuild(recipe, smaller), recipe), sizes(rebuild(recipe, whole), recipe)
    if abs(1 - measured["params"] / full["params"] - allocation.compression) > 1e-9:
        raise ValueError(
            f"{measured['params']} of {full['params']} parameters are left, not {1 - allocation.compression:.2%}"
        )
    return {
        "compression": allocation.compression,
        "note": allocation.note,
        "widths": dict(allocation.widths),
        "full_widths": channel_map.widths(),
        "speedup": full["macs"] / measured["macs"],
        **measured,
    }
