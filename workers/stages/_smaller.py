"""Makes smaller networks at given widths, by removing channels or by mixing them: resampling functions, folding."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from jobs.errors import BadInputError
from jobs.stages.common import Folding, Resampling
from workers.artifacts import MOMENTS_FILE
from workers.channels import ChannelMap, fold_batchnorm, select
from workers.channels.slicing import is_running_variance
from workers.fold import CLUSTERINGS, cluster_channels
from workers.integral import PARTITIONS, QUADRATURES, Quadrature, choose_cells, nodes_of, resample
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a network's channels are mixed into fewer: an order of them, cells in that order, and what a cell becomes.

    Attributes:
        state: Tensors of the network, its channels in that order.
        orders: Group name -> the order, where it is not the one that the network has.
        cells: Group name -> widths of its cells.
        quadrature: Of the input axes.
        repair: Whether the outputs' variance is repaired, from weights and norms.
    """

    state: Mapping[str, Tensor]
    orders: Mapping[str, Tensor]
    cells: Mapping[str, Tensor]
    quadrature: Quadrature
    repair: bool

    @property
    def nodes(self) -> dict[str, Tensor]:
        """Group name -> the nodes that it is sampled at."""
        return {name: nodes_of(each) for name, each in self.cells.items()}


def resampling(network: StoredNetwork, how: Resampling, cells: Mapping[str, Tensor]) -> Sampling:
    """The channels of a permuted network as functions, at cells that were chosen or tuned."""
    return Sampling(
        state=network.state,
        orders={},
        cells=cells,
        quadrature=QUADRATURES[how.quadrature],
        repair=how.repair is not None,
    )


def folding(network: StoredNetwork, how: Folding, widths: Mapping[str, int], seed: int) -> Sampling:
    """The clusters of alike channels as cells of a network whose order they are given.

    Raises:
        BadInputError: The network selects channels by index.
    """
    check_no_indices(network.state, network.channel_map)
    clusters = cluster_channels(
        network.state,
        network.channel_map,
        widths,
        CLUSTERINGS[how.clustering],
        incoming=how.slices == "incoming",
        seed=seed,
    )
    return Sampling(
        state=select(network.state, network.channel_map, clusters.orders),
        orders=clusters.orders,
        cells=clusters.cells,
        quadrature=QUADRATURES["means"],
        repair=how.repair is not None,
    )


def sample(network: StoredNetwork, sampling: Sampling) -> dict[str, Tensor]:
    """The tensors of the smaller network, with their variance repaired where that is asked.

    Statistics, which need images, are matched by whoever has some.
    """
    resampled = resample(sampling.state, network.channel_map, sampling.nodes, sampling.quadrature)
    if not sampling.repair:
        return resampled
    repair = repair_for(network, "cpu")(sampling.state, sampling.orders)
    return repair(resampled, sampling.nodes, sampling.quadrature)


def check_no_indices(state: Mapping[str, Tensor], channel_map: ChannelMap) -> None:
    """Refuse a network whose channels cannot be mixed.

    Raises:
        BadInputError: It selects channels by index.
    """
    whole = [name for name in channel_map.tensors if not state[name].is_floating_point()]
    if whole:
        raise BadInputError(
            f"{whole[0]}: channels are selected by index, and indices can be neither interpolated nor averaged; use "
            "the network without selections (`channel_selection: false`), or prune it by a criterion"
        )


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
