"""Contributions of a group's units to the outputs of a layer that reads them.

The contribution of a unit at a row is the layer's output there with all other inputs at zero: a vector over the layer's
outputs, after its norm. Channel selection needs only the products of contributions with one another and with the error,
and these follow from sums over rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from workers.channels import ChannelMap
from workers.reconstruction.refit import effective_weight
from workers.reconstruction.samples import Sums
from workers.reconstruction.sites import Site

NO_UNIT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributions:
    """Sums over rows and outputs, in double precision.

    Attributes:
        products: Scalar products of the contributions of every two units.
        errors: Scalar products of every unit's contribution with the error: dense output less the smaller network's.
    """

    products: Float[Tensor, "units units"]
    errors: Float[Tensor, " units"]

    def __add__(self, other: "Contributions") -> "Contributions":
        """Contributions of the same units to the outputs of both layers."""
        return Contributions(products=self.products + other.products, errors=self.errors + other.errors)

    def __truediv__(self, energy: float) -> "Contributions":
        """Contributions relative to an energy; unchanged if it is zero."""
        return Contributions(products=self.products / (energy or 1.0), errors=self.errors / (energy or 1.0))


def reads(channel_map: ChannelMap, site: Site) -> list[int]:
    """The groups, ascending, whose units a layer sums over; none for convolutions in groups."""
    layouts = channel_map.tensors.get(site.weight, ())
    return layouts[1].present() if layouts and layouts[1].role == "input" else []


def units_of_features(channel_map: ChannelMap, site: Site, groups: Sequence[int]) -> Int64[Tensor, " features"]:
    """The unit of every input feature of a layer; units of several groups are numbered consecutively.

    Args:
        channel_map: Channel groups of the present network.
        site: The layer.
        groups: Groups whose units are numbered; features of others have `NO_UNIT`.
    """
    shape = channel_map.shapes[site.weight]
    units = np.full(shape[1], NO_UNIT, dtype=np.int64)
    first = 0
    for group in groups:
        layout = channel_map.tensors[site.weight][1]
        here = layout.groups == group
        units[here] = layout.units[here] + first
        first += channel_map.groups[group].width
    return torch.from_numpy(np.repeat(units, int(np.prod(shape[2:]))))


def contributions(
    smaller: nn.Module, site: Site, sums: Sums, units: Int64[Tensor, " features"], count: int
) -> Contributions:
    """The contributions of units to the outputs of a layer.

    With G the sums and W the weights after the norm, the products are sums of the entries of G * (W W^T), feature by
    feature, over the features of both units; the errors are those of W * C.

    Args:
        smaller: The network.
        site: The layer; no convolution in groups.
        sums: Its present sums.
        units: The unit of every feature.
        count: Number of units.
    """
    weight = effective_weight(smaller, site)
    target = units.to(weight.device).where(units.to(weight.device) != NO_UNIT, count)  # a last one for all others
    by_feature = sums.gram[0, :-1, :-1] * (weight @ weight.mT)
    with_errors = (weight * sums.moments[0, :-1]).sum(1)
    rows = by_feature.new_zeros(count + 1, len(target)).index_add(0, target, by_feature)
    both = rows.new_zeros(count + 1, count + 1).index_add(1, target, rows)
    errors = with_errors.new_zeros(count + 1).index_add(0, target, with_errors)
    return Contributions(products=both[:count, :count], errors=errors[:count])
