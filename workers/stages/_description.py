"""The measurements of every stage that makes a smaller network at given widths."""

from collections.abc import Mapping

from torch import Tensor

from jobs.identity import Json
from jobs.metric import PREDICTED
from jobs.stages.base import StageParams
from jobs.stages.common import WidthParams
from workers.allocation import Allocation
from workers.channels import ParameterCount
from workers.network import StoredNetwork, rebuild, sizes
from workers.stages._allocation import latency_of
from workers.stages._base import Context


def measure_smaller(
    context: Context[StageParams],
    network: StoredNetwork,
    smaller: Mapping[str, Tensor],
    allocation: Allocation,
    widths: WidthParams,
) -> dict[str, Json]:
    """The measurements of a smaller network.

    The `compression` reached, as a fraction of the parameters, with a `note` where the target was not reached,
    `params`, `macs`, `size_bytes`, the theoretical `speedup` (MACs of the whole network over those of the smaller one),
    `widths` and, as pairs in the order of the forward pass, `full_widths`; the fraction `asked` of the parameters, or
    the one `reached` of another target; and the estimated `latency_s` and `speedup_predicted` where there is a profile.

    Args:
        context: Context of the task that made it.
        network: The whole network.
        smaller: Tensors of the smaller one.
        allocation: Its widths.
        widths: Target and allocation of the task.

    Raises:
        ValueError: The number of parameters is not the predicted one: the channel analysis was wrong.
    """
    measured = sizes(rebuild(network.recipe, smaller), network.recipe)
    full = sizes(network.module(), network.recipe)
    count = ParameterCount(network.channel_map)
    compression = 1 - count(allocation.widths) / count({})
    if abs(1 - measured["params"] / full["params"] - compression) > 1e-9:
        raise ValueError(f"{measured['params']} of {full['params']} parameters are left, not {1 - compression:.2%}")
    of_parameters = widths.target == "parameters"
    further: dict[str, Json] = {"asked": allocation.target} if of_parameters else {"reached": allocation.reached}
    if widths.profile is not None:
        latency = latency_of(context, network, widths.profile)
        further["latency_s"] = latency(allocation.widths)
        further[PREDICTED] = latency({}) / latency(allocation.widths)
    return {
        "compression": compression,
        "note": allocation.note,
        "widths": dict(allocation.widths),
        "full_widths": [[name, width] for name, width in network.channel_map.widths().items()],
        "speedup": full["macs"] / measured["macs"],
        **measured,
        **further,
    }
