"""What every stage that makes a smaller network at given widths says of it."""

from collections.abc import Mapping

from torch import Tensor

from jobs.identity import Json
from workers.allocation import Allocation
from workers.channels import ParameterCount
from workers.network import rebuild, sizes
from workers.stages._allocation import Source, latency_of
from workers.stages._base import Context


def measure_smaller(
    context: Context, source: Source, smaller: Mapping[str, Tensor], allocation: Allocation
) -> dict[str, Json]:
    """What is left of a network.

    That is the `compression` reached, as a fraction of the parameters, with a `note` where the target was not reached,
    `params`, `macs`, `size_bytes`, the theoretical `speedup` (MACs of the whole network over those that are left),
    `widths` and, as pairs in the order of the forward pass, `full_widths`; the fraction `reached` of another target
    than parameters, and the estimated `latency_s` where there is a profile.

    Args:
        context: Of the task that made it.
        source: The whole network.
        smaller: Tensors of the smaller one.
        allocation: Its widths.

    Raises:
        ValueError: The number of parameters is not the predicted one: the channel analysis was wrong.
    """
    measured = sizes(rebuild(source.recipe, smaller), source.recipe)
    full = sizes(rebuild(source.recipe, source.state), source.recipe)
    count = ParameterCount(source.channel_map)
    compression = 1 - count(allocation.widths) / count({})
    if abs(1 - measured["params"] / full["params"] - compression) > 1e-9:
        raise ValueError(f"{measured['params']} of {full['params']} parameters are left, not {1 - compression:.2%}")
    further: dict[str, Json] = {"reached": allocation.reached} if "target" in context.params else {}
    if "profile" in context.task.inputs:
        further["latency_s"] = latency_of(context, source)(allocation.widths)
    return {
        "compression": compression,
        "note": allocation.note,
        "widths": dict(allocation.widths),
        "full_widths": [[name, width] for name, width in source.channel_map.widths().items()],
        "speedup": full["macs"] / measured["macs"],
        **measured,
        **further,
    }
