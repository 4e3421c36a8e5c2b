"""Makes smaller networks at given widths by removing channels, and chooses the cells and the repair of others."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from jobs.stages.common import Resampling
from workers.artifacts import MOMENTS_FILE
from workers.channels import ChannelMap, fold_batchnorm, select
from workers.channels.slicing import is_running_variance
from workers.integral import PARTITIONS, choose_cells
from workers.integral.choice import RepairOf
from workers.integral.moments import OutputMoments
from workers.integral.variance import VarianceRepair
from workers.network import StoredNetwork


def highest(scores: Mapping[str, Float[Tensor, " _"]], widths: Mapping[str, int]) -> dict[str, Int64[Tensor, " _"]]:
    """Group name -> the channels with the highest scores, as many as stay, in their order."""
    return {
        name: scores[name].argsort(descending=True, stable=True)[:width].sort().values for name, width in widths.items()
    }


def remove(
    state: Mapping[str, Tensor],
    channel_map: ChannelMap,
    scores: Mapping[str, Float[Tensor, " _"]],
    widths: Mapping[str, int],
) -> dict[str, Tensor]:
    """The tensors without the channels with the lowest scores."""
    return select(state, channel_map, highest(scores, widths))


def cells_at(
    state: Mapping[str, Tensor], channel_map: ChannelMap, widths: Mapping[str, int], partition: str
) -> dict[str, Tensor]:
    """Group name -> cells of a partition, by their widths; `widths` has their number."""
    return choose_cells(state, channel_map, widths, PARTITIONS[partition])


def variance_repair(
    network: StoredNetwork, how: Resampling, device: torch.device | str = "cpu"
) -> VarianceRepair | None:
    """The variance repair of a permuted network, on a device; None where none is asked."""
    if how.repair is None:
        return None
    state = {name: each.to(device) for name, each in network.state.items()}
    return repair_for(network, device)(state, {})


def repair_for(network: StoredNetwork, device: torch.device | str) -> RepairOf:
    """The same for a network in any order of its channels: what its norms know is brought into that order."""
    folded, recipe, channel_map = network.recipe.folded, network.recipe, network.channel_map
    known = OutputMoments.read(network.read(MOMENTS_FILE)) if folded else OutputMoments(means={}, variances={})
    has_norms, moments = any(map(is_running_variance, network.state)), known.to(device)
    kept = fold_batchnorm(network.module(), recipe.inputs, recipe.parts) if has_norms else []

    def reordered(state: Mapping[str, Tensor], orders: Mapping[str, Tensor]) -> VarianceRepair:
        return VarianceRepair(state, channel_map, moments.select(channel_map, orders), kept)

    return reordered
