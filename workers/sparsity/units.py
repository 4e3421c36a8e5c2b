"""The units of a channel group in the live parameters of a model: their norms, and scaling in place."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from workers.channels import AxisLayout, ChannelMap

Chooser = Callable[[str, AxisLayout], bool]
"""Whether to include an axis (its parameter's name, its layout)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSlice:
    """One axis of one parameter on which a group owns positions.

    Attributes:
        name: Name of the parameter.
        parameter: The parameter.
        axis: The axis.
        units: The unit that owns each position; the group's width for positions of other groups or of none.
    """

    name: str
    parameter: Tensor
    axis: int
    units: Int64[Tensor, " n"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUnits:
    """The entries of the units of one group.

    Attributes:
        name: Name of the group.
        width: Number of units.
        slices: The axes that hold them; one weight can be in two of them.
    """

    name: str
    width: int
    slices: tuple[UnitSlice, ...]

    @property
    def trained(self) -> "GroupUnits":
        """The entries that are trained: those of frozen parameters are left out."""
        return replace(self, slices=tuple(each for each in self.slices if each.parameter.requires_grad))

    @torch.no_grad()
    def norms(self) -> Float[Tensor, " width"]:
        """Euclidean norm of each unit over all its slices."""
        squares = self.slices[0].parameter.new_zeros(self.width + 1)
        for each in self.slices:
            per_position = each.parameter.square().movedim(each.axis, 0).reshape(len(each.units), -1).sum(1)
            squares.index_add_(0, each.units, per_position)
        return squares[:-1].sqrt()

    def sizes(self) -> Float[Tensor, " width"]:
        """Number of entries of each unit."""
        sizes = self.slices[0].parameter.new_zeros(self.width + 1)
        for each in self.slices:
            per_position = each.parameter.numel() / len(each.units)
            sizes.index_add_(0, each.units, torch.full_like(each.units, per_position, dtype=sizes.dtype))
        return sizes[:-1]

    @torch.no_grad()
    def scale(self, factors: Float[Tensor, " width"]) -> None:
        """Multiply all entries of a unit by its factor, in place; a factor of 0 gives exact zeros."""
        for each in self.slices:
            each.parameter.mul_(spread(factors, each))


def spread(factors: Float[Tensor, " width"], where: UnitSlice) -> Float[Tensor, "*_shape"]:
    """Factors of units, shaped to multiply a parameter along its axis: 1 at positions of no unit. Differentiable."""
    per_position = torch.cat([factors, factors.new_ones(1)])[where.units]
    return per_position.reshape([-1, *[1] * (where.parameter.ndim - 1 - where.axis)])


def find_units(
    model: nn.Module, channel_map: ChannelMap, counts: Chooser = lambda name, layout: True
) -> list[GroupUnits]:
    """The units of all groups, in order; groups without an included axis are left out.

    Args:
        model: The network of the map, on its device.
        channel_map: Its channel groups.
        counts: Which axes to include; default: all, of weights, biases and norms.
    """
    found: list[list[UnitSlice]] = [[] for _ in channel_map.groups]
    parameters = dict(model.named_parameters())
    for owned in channel_map.owned_axes():
        parameter, layout = parameters.get(owned.tensor), owned.layout
        if parameter is None or not counts(owned.tensor, layout):
            continue
        units = torch.from_numpy(layout.units.copy())
        units[torch.from_numpy(layout.groups != owned.group_index)] = owned.group.width
        found[owned.group_index].append(
            UnitSlice(name=owned.tensor, parameter=parameter, axis=owned.axis, units=units.to(parameter.device))
        )
    return [
        GroupUnits(name=group.name, width=group.width, slices=tuple(slices))
        for group, slices in zip(channel_map.groups, found, strict=True)
        if slices
    ]
