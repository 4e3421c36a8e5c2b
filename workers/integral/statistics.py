"""Running statistics of batch norms as functions: maps changes at the samples to the coefficients.

A batch norm that runs at m samples updates their means and variances; the whole function follows.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap
from workers.integral.axes import AxisMap
from workers.integral.operators import RowOperator, operator
from workers.integral.quadrature import product

STATISTICS = ("running_mean", "running_var")
"""Suffixes of the names of statistics."""


class Statistics:
    """From changes of the statistics at the samples of one partition to changes of their coefficients.

    A change is a function given at the nodes; it is interpolated between them, as `product` does with inputs.
    Where every coefficient has its own node, it is unchanged.

    Args:
        sampled: The map of the network at the partition.
        coefficients: The map of its coefficients.
        nodes: Group name -> nodes of its partition; groups that are not named are discrete.
        device: Of the tensors.
    """

    def __init__(
        self,
        sampled: ChannelMap,
        coefficients: ChannelMap,
        nodes: Mapping[str, Float[Tensor, " m"]],
        device: torch.device,
    ) -> None:
        self._operators: dict[int, RowOperator] = {
            index: operator(product(nodes[group.name], group.width).T, device)
            for index, group in enumerate(coefficients.groups)
            if group.name in nodes
        }
        self._axes = {
            name: AxisMap(sampled.tensors[name][0], layouts[0], frozenset(self._operators), device)
            for name, layouts in coefficients.tensors.items()
            if name.endswith(STATISTICS)
        }

    @property
    def names(self) -> list[str]:
        """The statistics of channels that are functions."""
        return list(self._axes)

    def __call__(self, name: str, change: Float[Tensor, " m"]) -> Float[Tensor, " n"]:
        """The change of the coefficients for a change at the samples."""
        with torch.autocast(change.device.type, enabled=False):
            return self._axes[name](change, 0, self._operators)
