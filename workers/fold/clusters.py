"""The clusters of all groups of a network, as an order of its channels and cells of neighbours in that order.

In that order each cluster is a cell of whole channels, so that folding is the resampling of integral networks with
`means`: the mean of what writes the channels of a cell, the sum of what reads them. Repair works alike for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from workers.channels import ChannelMap, weight_name
from workers.fold.clustering import Clustering
from workers.integral.slices import relative_slices


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Which channels of a network become one.

    Attributes:
        orders: Group name -> its channels, those of a cluster beside each other; clusters in the order of their first
            channels.
        cells: Group name -> channels per cluster, as fractions of all, in that order.
    """

    orders: Mapping[str, Int64[Tensor, " n"]]
    cells: Mapping[str, Float[Tensor, " m"]]


def cluster_channels(
    state: Mapping[str, Tensor],
    channel_map: ChannelMap,
    widths: Mapping[str, int],
    clustering: Clustering,
    *,
    incoming: bool,
    seed: int,
) -> Clusters:
    """Cluster the channels of every group.

    Args:
        state: Tensors of the network.
        channel_map: Its channel groups.
        widths: Group name -> number of clusters.
        clustering: How.
        incoming: Whether channels are compared by the weights that write them alone, or by all entries that they own.
        seed: Of what is drawn.
    """
    orders, cells = {}, {}
    for index, group in enumerate(channel_map.groups):
        compared = (incoming_slices if incoming else relative_slices)(state, channel_map, index)
        labels = clustering(compared, widths[group.name], seed)
        orders[group.name], counts = _neighbours(labels)
        cells[group.name] = counts.double() / len(labels)
    return Clusters(orders=orders, cells=cells)


def incoming_slices(
    state: Mapping[str, Tensor], channel_map: ChannelMap, index: int
) -> Float[Tensor, "width features"]:
    """The weights of all layers that write a group, as `relative_slices`; all entries where those also sum over it.

    A parameter that is no layer's own, such as the one that attention keeps its three weights in, is one of them.
    """
    writers = {weight_name(layer, state) for layer in channel_map.groups[index].layers}
    found = relative_slices(state, channel_map, index, written_by=writers)
    return found if found.shape[1] else relative_slices(state, channel_map, index)


def _neighbours(labels: Int64[Tensor, " n"]) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " m"]]:
    """The channels with those of a cluster beside each other, and the clusters' sizes in that order."""
    first = torch.full((int(labels.max()) + 1,), len(labels))
    first.scatter_reduce_(0, labels, torch.arange(len(labels)), "amin")
    order = first[labels].argsort(stable=True)
    return order, labels[order].unique_consecutive(return_counts=True)[1]
