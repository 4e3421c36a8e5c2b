"""Computes the weights of a network at one partition from the coefficients of all tensors.

Everything that depends on the partition alone is computed once; after that a set of weights costs a few passes over
memory. The results equal those of `resample`, which is differentiable in the nodes, too, and rebuilds its matrices
every time.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import AxisLayout, ChannelMap
from workers.integral.axes import AxisMap, with_widths
from workers.integral.kernels import Kernel
from workers.integral.operators import Identity, RowOperator, operator
from workers.integral.quadrature import Quadrature, output_matrix


class Sampling:
    """The map from coefficients to weights at one partition; differentiable in the coefficients.

    Args:
        network: The map of the network at full size.
        coefficients: The map of its coefficients.
        nodes: Group name -> nodes of its partition; groups that are not named are discrete.
        kernel: For the output axes.
        quadrature: For the input axes.
        device: Of the tensors.

    Attributes:
        sampled: The map of the network at this partition.
    """

    def __init__(
        self,
        network: ChannelMap,
        coefficients: ChannelMap,
        nodes: Mapping[str, Float[Tensor, " m"]],
        *,
        kernel: Kernel,
        quadrature: Quadrature,
        device: torch.device,
    ) -> None:
        self.device = device
        self.sampled = with_widths(network, {name: len(each) for name, each in nodes.items()})
        operators: dict[tuple[int, str], RowOperator] = {}
        for index, group in enumerate(coefficients.groups):
            if group.name in nodes:
                at = nodes[group.name]
                operators[index, "output"] = operator(output_matrix(at, group.width, quadrature, kernel), device)
                operators[index, "input"] = operator(quadrature(at, group.width), device)
        self._axes = _axis_maps(coefficients, self.sampled, operators, device)

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of all tensors of the network's state at this partition."""
        return self.sampled.shapes

    def __call__(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The network's tensors. Those that need no change are passed through, not copied.

        Args:
            tensors: Coefficients, by the names of the network's state; others are passed through.
        """
        with torch.autocast(self.device.type, enabled=False):
            return {name: self._sample(name, tensor) for name, tensor in tensors.items()}

    def _sample(self, name: str, tensor: Tensor) -> Tensor:
        if name not in self._axes:
            return tensor
        # Weights are computed in single precision, even if they are stored in half.
        weights = tensor if tensor.dtype == torch.float64 else tensor.float()
        for axis, (axis_map, functions) in self._axes[name].items():
            weights = axis_map(weights, axis, functions)
        # A variance is a function like any other, but between two coefficients interpolation can undershoot.
        weights = weights.clamp_min(0) if name.endswith("running_var") else weights
        return weights.to(tensor.dtype).contiguous()


def _axis_maps(
    coefficients: ChannelMap,
    sampled: ChannelMap,
    operators: Mapping[tuple[int, str], RowOperator],
    device: torch.device,
) -> dict[str, dict[int, tuple[AxisMap, dict[int, RowOperator]]]]:
    """By tensor and axis: the axis map and the operators of its groups; only for axes that change."""
    known: dict[tuple[object, ...], AxisMap] = {}
    result: dict[str, dict[int, tuple[AxisMap, dict[int, RowOperator]]]] = {}
    for name, layouts in coefficients.tensors.items():
        for axis, layout in enumerate(layouts):
            functions = _functions(layout, operators)
            if not functions:
                continue
            new = sampled.tensors[name][axis]
            arrays = (layout.groups, layout.units, new.groups, new.units)
            key: tuple[object, ...] = (*(each.tobytes() for each in arrays), frozenset(functions))
            if key not in known:
                known[key] = AxisMap(layout, new, frozenset(functions), device)
            result.setdefault(name, {})[axis] = (known[key], functions)
    return result


def _functions(layout: AxisLayout, operators: Mapping[tuple[int, str], RowOperator]) -> dict[int, RowOperator]:
    found = {index: operators.get((index, layout.role), Identity()) for index in layout.present()}
    return {index: function for index, function in found.items() if not isinstance(function, Identity)}
