"""How alike the channels of groups are, from the weights that write them: the correlation of what they compute.

Inputs of the layers that write a group are taken as uncorrelated and of equal variance, so that the covariance of two
channels is the dot product of their slices. What reads a group mostly does so behind a ReLU, which brings correlations
nearer to 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import NOT_A_CHANNEL, AxisLayout, ChannelMap, map_units, unit_slices

_CLOSEST = 1e-6
"""Correlations keep this distance from -1 and 1, where the derivative of their angle is infinite."""

Correlations = Mapping[int, Float[Tensor, "_ _"]]
"""Index of a group -> correlation of its channels as layers read them; groups of which nothing is known are missing."""


def correlations(slices: Mapping[str, Tensor], channel_map: ChannelMap) -> Correlations:
    """The correlations of the channels that some layers write. Differentiable.

    Args:
        slices: Name of a weight -> that weight, scaled so that the squares of each output's slice sum to its variance.
            Layers that write to one group are independent of each other.
        channel_map: Has layouts of these weights.
    """
    covariances: dict[int, Tensor] = {}
    for name, tensor in slices.items():
        layouts = channel_map.tensors[name]
        for group in layouts[0].present():
            rows = unit_slices(tensor, layouts, 0, group)
            covariances[group] = covariances.get(group, 0) + rows @ rows.T
    return {group: _behind_relu(_normalised(each)) for group, each in covariances.items()}


def variances(
    weight: Float[Tensor, "n ..."], layouts: Sequence[AxisLayout], alike: Correlations
) -> Float[Tensor, " n"]:
    """The variance of each output of a layer whose inputs have variance 1 and these correlations. Differentiable.

    Args:
        weight: Of a convolution or a linear layer.
        layouts: Its layouts.
        alike: By group; inputs of other groups are uncorrelated, and so are positions of a convolution.
    """
    mixed = weight
    for axis, layout in enumerate(layouts):
        for group in layout.present() if axis > 0 else []:
            if group in alike:
                mixed = map_units(mixed, layouts, axis, group, alike[group])
    return (mixed * weight).flatten(1).sum(1).clamp_min(0)


def outputs_only(channel_map: ChannelMap) -> ChannelMap:
    """The map as if only the first axes of tensors had channels."""
    return replace(
        channel_map,
        tensors={
            name: (layouts[0], *(_unlabelled(len(each.groups)) for each in layouts[1:]))
            for name, layouts in channel_map.tensors.items()
        },
    )


def _unlabelled(length: int) -> AxisLayout:
    return AxisLayout(role="output", groups=np.full(length, NOT_A_CHANNEL), units=np.full(length, NOT_A_CHANNEL))


def _normalised(covariance: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    deviations = covariance.diagonal().clamp_min(torch.finfo(covariance.dtype).tiny).sqrt()
    return covariance / deviations[:, None] / deviations


def _behind_relu(rho: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """The correlation of max(x, 0) and max(y, 0), where x and y are normal, of mean 0 and correlation rho.

    Source: Cho and Saul 2009, "Kernel methods for deep learning", the arc-cosine kernel of degree 1, of which the
    product of the means is subtracted.
    """
    rho = rho.clamp(_CLOSEST - 1, 1 - _CLOSEST)
    moment = ((1 - rho.square()).sqrt() + rho * (math.pi - rho.arccos())) / math.pi
    behind: Tensor = (moment - 1 / math.pi) / (1 - 1 / math.pi)
    return behind + torch.diag(1 - behind.diagonal())
