"""Resamples the tensors of a permuted network to other sizes.

W' = A_out W Q_in^T on the channel axes of every tensor: A samples the output axes, Q is the quadrature on the input
axes (INN, equations 3 to 6). A pure function of tensors.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap, map_units
from workers.integral.kernels import CUBIC, Kernel
from workers.integral.partition import Partition
from workers.integral.quadrature import Quadrature, output_matrix
from workers.integral.slices import relative_slices


def resample(
    state: Mapping[str, Tensor],
    channel_map: ChannelMap,
    nodes: Mapping[str, Float[Tensor, " m"]],
    quadrature: Quadrature,
    kernel: Kernel = CUBIC,
) -> dict[str, Tensor]:
    """The tensors of the network sampled at other partitions. Differentiable in the nodes and in the tensors.

    Args:
        state: Tensors of the network, its channels in the order in which they are samples of functions.
        channel_map: Its channel groups.
        nodes: Group name -> nodes of its partition in [0, 1], at most as many as the group has channels. Groups that
            are not named stay as they are.
        quadrature: For the input axes.
        kernel: For the output axes, where the quadrature has no sampling of its own.

    Returns:
        All tensors of `state`; those with channels of the named groups are new, of the same dtype.

    Raises:
        ValueError: Fewer nodes than channels for a group whose channels cannot be mixed.
    """
    matrices = {}
    for index, group in enumerate(channel_map.groups):
        if group.name in nodes:
            group_nodes = nodes[group.name]
            if group.unmixable and len(group_nodes) < group.width:
                raise ValueError(f"group {group.name!r} keeps all of its {group.width} channels: {group.unmixable}")
            matrices[index] = {
                "output": output_matrix(group_nodes, group.width, quadrature, kernel),
                "input": quadrature(group_nodes, group.width),
            }
    resampled = dict(state)
    for name, layouts in channel_map.tensors.items():
        tensor, current = state[name], list(layouts)
        for axis, layout in enumerate(layouts):
            for index in layout.present():
                if index not in matrices:
                    continue
                matrix = matrices[index][layout.role].to(tensor.dtype)
                tensor = map_units(tensor, current, axis, index, matrix)
                current[axis] = current[axis].cut({index: len(matrix)})
        # A variance is a function like any other, but between two channels cubic interpolation can undershoot.
        resampled[name] = tensor.clamp_min(0) if name.endswith("running_var") else tensor
    return resampled


def choose_cells(
    state: Mapping[str, Tensor], channel_map: ChannelMap, widths: Mapping[str, int], partition: Partition
) -> dict[str, Float[Tensor, " m"]]:
    """The cells of every group's partition, chosen without data.

    Args:
        state: Tensors of the network, its channels in order.
        channel_map: Its channel groups.
        widths: Group name -> number of cells.
        partition: The method that chooses them.
    """
    return {
        group.name: partition(relative_slices(state, channel_map, index), widths[group.name])
        for index, group in enumerate(channel_map.groups)
    }
