"""Statistics of functions: from the samples, where a batch norm measures them, to all coefficients.

A batch norm that runs at m samples learns their means and variances. Between the samples they are interpolated
linearly, which keeps a variance from falling below zero. Knows layouts and partitions; knows no module and no data.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap
from workers.integral.axes import AxisMap
from workers.integral.kernels import LINEAR
from workers.integral.operators import RowOperator, operator
from workers.integral.quadrature import between_nodes

STATISTICS = ("running_mean", "running_var")
"""The endings of the names of statistics."""


class Statistics:
    """From statistics at the samples of one partition to their coefficients.

    Where every coefficient has its own node, they are handed on as they are.

    Args:
        sampled: The map of the network at the partition.
        coefficients: That of its coefficients.
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
            index: operator(between_nodes(nodes[group.name], group.width, LINEAR), device)
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

    def __call__(self, name: str, values: Float[Tensor, " m"]) -> Float[Tensor, " n"]:
        """What the values at the samples are for the coefficients."""
        return self._axes[name](values, 0, self._operators)
