"""Makes smaller networks by mixing channels into fewer: by resampling functions, or by folding.

Every new channel is a sum of old ones. The matrix of these sums is kept with the network, so that what it computes can
be compared with what the dense network does.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from safetensors.torch import load, save
from torch import Tensor

from jobs.errors import BadInputError
from jobs.stages.common import Folding, Resampling
from workers.channels import ChannelMap, select
from workers.fold import CLUSTERINGS, cluster_channels
from workers.integral import QUADRATURES, Quadrature, nodes_of, resample
from workers.integral.quadrature import output_matrix
from workers.network import StoredNetwork
from workers.stages._smaller import repair_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
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


def resampling(network: StoredNetwork, how: Resampling, cells: Mapping[str, Tensor]) -> Mixing:
    """The channels of a permuted network as functions, at cells that were chosen or tuned."""
    return Mixing(
        state=network.state,
        orders={},
        cells=cells,
        quadrature=QUADRATURES[how.quadrature],
        repair=how.repair is not None,
    )


def folding(network: StoredNetwork, how: Folding, widths: Mapping[str, int], seed: int) -> Mixing:
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
    return Mixing(
        state=select(network.state, network.channel_map, clusters.orders),
        orders=clusters.orders,
        cells=clusters.cells,
        quadrature=QUADRATURES["means"],
        repair=how.repair is not None,
    )


def mix(network: StoredNetwork, mixing: Mixing) -> dict[str, Tensor]:
    """The tensors of the smaller network, with their variance repaired where that is asked.

    Statistics, which need images, are matched by whoever has some.
    """
    resampled = resample(mixing.state, network.channel_map, mixing.nodes, mixing.quadrature)
    if not mixing.repair:
        return resampled
    repair = repair_for(network, "cpu")(mixing.state, mixing.orders)
    return repair(resampled, mixing.nodes, mixing.quadrature)


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


def mixture_file(mixing: Mixing, channel_map: ChannelMap) -> bytes:
    """The matrix of every group, from the network's channels in the order that they have there."""
    widths, tensors = channel_map.widths(), {}
    for name, nodes in mixing.nodes.items():
        matrix = output_matrix(nodes, widths[name], mixing.quadrature)
        rows, columns = matrix.nonzero(as_tuple=True)
        order = mixing.orders.get(name)
        tensors[f"rows:{name}"] = rows.int()
        tensors[f"columns:{name}"] = (columns if order is None else order[columns]).int()
        tensors[f"values:{name}"] = matrix[rows, columns].float()
    return save(tensors)


def mixture(content: bytes, channel_map: ChannelMap, widths: Mapping[str, int]) -> dict[str, Float[Tensor, "_m _n"]]:
    """Group name -> matrix from the channels of the network that was mixed to the fewer ones, from `mixture_file`.

    Args:
        content: Of the file.
        channel_map: Channel groups of the network that was mixed.
        widths: Group name -> number of new channels.
    """
    tensors, before = load(content), channel_map.widths()
    return {
        name: torch.zeros(width, before[name]).index_put_(
            (tensors[f"rows:{name}"].long(), tensors[f"columns:{name}"].long()), tensors[f"values:{name}"]
        )
        for name, width in widths.items()
    }
