"""Pruning by reconstruction: channels are chosen by the error in the next layers, which are then refitted.

Layers are processed in order of execution. Before a layer is refitted, the groups that it reads are pruned; every
choice and every refit starts from the network as the earlier ones left it.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from types import MappingProxyType
from typing import Protocol, TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from workers.channels import ChannelMap, load_resized, restrict, select
from workers.integral.slices import relative_slices
from workers.reconstruction.contributions import Contributions, contributions, reads, units_of_features
from workers.reconstruction.lasso import surviving
from workers.reconstruction.refit import RIDGE, Refit, refit_weights, rescale_units, unchanged
from workers.reconstruction.samples import DenseReference, Sums, selection
from workers.reconstruction.sites import Site
from workers.reconstruction.thinet import least_contribution, least_squares_factors

_log = logging.getLogger("orchard")

KeptUnits: TypeAlias = dict[str, Int64[Tensor, " _"]]
"""Group name -> units that stay, ascending."""


class Refitter(Protocol):
    """Changes a layer in place so that its outputs come nearer to the dense network's."""

    def __call__(self, smaller: nn.Module, channel_map: ChannelMap, site: Site, sums: Sums, ridge: float) -> Refit:
        """Refit one layer.

        Args:
            smaller: The present network.
            channel_map: Its channel groups.
            site: The layer.
            sums: Its present sums.
            ridge: See `ridge_regression`.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerwiseMethod:
    """A method of pruning by reconstruction.

    Attributes:
        choose: From contributions and a width to the units that stay, ascending.
        refit: Refits a layer after the groups that it reads were pruned.
    """

    choose: Callable[[Contributions, int], Int64[Tensor, " width"]]
    refit: Refitter


def reconstruct(
    smaller: nn.Module,
    reference: DenseReference,
    channel_map: ChannelMap,
    widths: Mapping[str, int],
    method: LayerwiseMethod,
    *,
    ridge: float = RIDGE,
) -> tuple[KeptUnits, list[Refit]]:
    """Prune the groups of a network and refit the layers that read them. In place.

    A group with several readers, such as the channels of a residual stream, is pruned before the first of them, by the
    contributions to all of them together, each reader's relative to its squared outputs. A group without a reader that
    can be refitted, such as the queries of attention, keeps the units with the largest shares of its tensors' squares.

    Args:
        smaller: A copy of the dense network, on the device of the images.
        reference: The dense network's outputs.
        channel_map: Its channel groups.
        widths: Group name -> number of units that stay; groups that are not named stay whole.
        method: Chooses units and refits layers.
        ridge: See `ridge_regression`.

    Returns:
        The units that stay in every group, and the result of each refit, in order of execution.
    """
    sites = reference.sites
    state = _Reconstruction(smaller, reference, channel_map, widths)
    read = {group for site in sites for group in reads(channel_map, site)}
    shares = own_shares(smaller.state_dict(), channel_map)
    for index, group in enumerate(channel_map.groups):
        if index not in read and state.is_pending(index):
            order = shares[group.name].argsort(descending=True, stable=True)
            state.cut(index, order[: state.width(index)].sort().values)
    refits = []
    for site in sites:
        for index in reads(channel_map, site):
            if state.is_pending(index):
                readers = [each for each in sites if index in reads(channel_map, each)]
                state.cut(index, method.choose(state.contributions(index, readers), state.width(index)))
        sums = state.sums([site])[site]
        refits.append(method.refit(smaller, state.channel_map, site, sums, ridge))
        _log.info("%s: squared error %.3g, then %.3g", site.layer, refits[-1].before, refits[-1].after)
    return state.kept, refits


def own_shares(state: Mapping[str, Tensor], channel_map: ChannelMap) -> dict[str, Float[Tensor, " _"]]:
    """Group name -> for each unit its shares of the squares of the group's tensors, summed."""
    return {
        group.name: relative_slices(state, channel_map, index).square().sum(1)
        for index, group in enumerate(channel_map.groups)
    }


class _Reconstruction:
    """A network that is pruned group by group."""

    def __init__(
        self, smaller: nn.Module, reference: DenseReference, channel_map: ChannelMap, widths: Mapping[str, int]
    ) -> None:
        self._smaller, self._reference, self._dense_map, self._widths = smaller, reference, channel_map, widths
        self.channel_map = channel_map
        self.kept: KeptUnits = {name: torch.arange(width) for name, width in channel_map.widths().items()}

    def width(self, index: int) -> int:
        """Number of units of a group that stay."""
        group = self._dense_map.groups[index]
        return self._widths.get(group.name, group.width)

    def is_pending(self, index: int) -> bool:
        """Whether a group has still to be pruned."""
        return self.width(index) < self.channel_map.groups[index].width

    def sums(self, sites: list[Site]) -> dict[Site, Sums]:
        """The present sums of layers."""
        return self._reference.sums(self._smaller, sites, selection(self._dense_map, self.kept))

    def contributions(self, index: int, readers: list[Site]) -> Contributions:
        """Contributions of a group's units to all layers that read it."""
        count = self.channel_map.groups[index].width
        return reduce(
            add,
            (
                contributions(self._smaller, site, sums, units_of_features(self.channel_map, site, [index]), count)
                / sums.energy
                for site, sums in self.sums(readers).items()
            ),
        )

    def cut(self, index: int, units: Int64[Tensor, " width"]) -> None:
        """Keep these units of a group."""
        name = self._dense_map.groups[index].name
        load_resized(self._smaller, select(self._smaller.state_dict(), self.channel_map, {name: units}))
        self.channel_map = restrict(self.channel_map, {name: len(units)})
        self.kept[name] = units


def _by_weights(smaller: nn.Module, channel_map: ChannelMap, site: Site, sums: Sums, ridge: float) -> Refit:
    return refit_weights(smaller, site, sums, ridge=ridge)


def _by_factors(smaller: nn.Module, channel_map: ChannelMap, site: Site, sums: Sums, ridge: float) -> Refit:
    """One factor for each unit that the layer reads; one that sums over none, such as a depthwise one, is unchanged."""
    groups = reads(channel_map, site)
    if not groups:
        return unchanged(site, sums)
    units = units_of_features(channel_map, site, groups)
    count = sum(channel_map.groups[index].width for index in groups)
    factors = least_squares_factors(contributions(smaller, site, sums, units, count), ridge)
    return rescale_units(smaller, site, sums, units, factors)


METHODS: Mapping[str, LayerwiseMethod] = MappingProxyType(
    {
        "lasso": LayerwiseMethod(choose=surviving, refit=_by_weights),
        "thinet": LayerwiseMethod(choose=least_contribution, refit=_by_factors),
    }
)
"""The methods that a sweep can name."""
