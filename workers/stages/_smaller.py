"""Makes smaller networks at given widths, by removing channels or by resampling functions."""

from collections.abc import Mapping

from jaxtyping import Float, Int64
from torch import Tensor

from workers.channels import ChannelMap, select
from workers.integral import PARTITIONS, QUADRATURES, choose_cells, nodes_of, resample


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


def resample_to(
    state: Mapping[str, Tensor], channel_map: ChannelMap, cells: Mapping[str, Tensor], quadrature: str
) -> dict[str, Tensor]:
    """The tensors of functions, sampled at the nodes of these cells."""
    nodes = {name: nodes_of(each) for name, each in cells.items()}
    return resample(state, channel_map, nodes, QUADRATURES[quadrature])
