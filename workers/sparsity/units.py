"""The units of a channel group in the live parameters of a model: how large they are, and made smaller in place.

Knows channel maps and tensors; refuses to know why units shrink.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from workers.channels import AxisLayout, ChannelMap

Chooser = Callable[[str, AxisLayout], bool]
"""Whether an axis (its parameter's name, its layout) counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSlice:
    """One axis of one parameter on which a group owns positions.

    Attributes:
        name: Of the parameter.
        parameter: Itself.
        axis: Which axis.
        units: The unit that owns each position; the group's width where it is another group's, or no one's.
    """

    name: str
    parameter: Tensor
    axis: int
    units: Int64[Tensor, " n"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUnits:
    """What the units of one group own.

    Attributes:
        name: Of the group.
        width: How many units.
        slices: Where they are; one weight can be in two of them.
    """

    name: str
    width: int
    slices: tuple[UnitSlice, ...]

    @torch.no_grad()
    def norms(self) -> Float[Tensor, " width"]:
        """Euclidean norm of each unit over all its slices."""
        squares = self.slices[0].parameter.new_zeros(self.width + 1)
        for each in self.slices:
            per_position = each.parameter.square().movedim(each.axis, 0).reshape(len(each.units), -1).sum(1)
            squares.index_add_(0, each.units, per_position)
        return squares[:-1].sqrt()

    @torch.no_grad()
    def scale(self, factors: Float[Tensor, " width"]) -> None:
        """Multiply everything that a unit owns by its factor, in place; where one is 0, exact zeros are left."""
        for each in self.slices:
            each.parameter.mul_(spread(factors, each))


def spread(factors: Float[Tensor, " width"], where: UnitSlice) -> Float[Tensor, "*_shape"]:
    """Factors of units as they multiply a parameter along its axis: 1 at positions of no unit. Differentiable."""
    per_position = torch.cat([factors, factors.new_ones(1)])[where.units]
    return per_position.reshape([-1, *[1] * (where.parameter.ndim - 1 - where.axis)])


def find_units(
    model: nn.Module, channel_map: ChannelMap, counts: Chooser = lambda name, layout: True
) -> list[GroupUnits]:
    """The units of all groups, in order; groups without an axis that counts are left out.

    Args:
        model: The network of the map, on the device where its units are looked at.
        channel_map: Its channel groups.
        counts: Which axes are meant; default: all, of weights, biases and norms.
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
