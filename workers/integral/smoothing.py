"""Smoother functions: the nearest ones with fewer coefficients than the network has channels."""

from collections.abc import Mapping

import torch
from torch import Tensor

from workers.channels import ChannelMap
from workers.integral.conversion import convert, scaled_sizes, uniform_nodes
from workers.integral.kernels import CUBIC
from workers.integral.quadrature import midpoint
from workers.integral.sampling import Sampling


def smooth(state: Mapping[str, Tensor], channel_map: ChannelMap, scale: float) -> dict[str, Tensor]:
    """The network whose channels are samples of the nearest functions with so many coefficients per channel.

    What INN (section 3.1) leaves open is how many coefficients a function has. With as many as there are channels it
    is exact; with fewer, what changes from one channel to the next is lost. Cubic convolution, the midpoint rule.

    Args:
        state: Tensors of the network, on the CPU, its channels in the order in which they are samples of functions.
        channel_map: Its channel groups.
        scale: Coefficients per channel, above 0; 1 gives the network itself.

    Returns:
        All tensors of `state`; those with channels are new, of the same shapes and types.
    """
    functions = convert(state, channel_map, sizes=scaled_sizes(channel_map, scale))
    nodes = {group.name: uniform_nodes(group.width) for group in channel_map.groups}
    sampling = Sampling(
        channel_map, functions.channel_map, nodes, kernel=CUBIC, quadrature=midpoint, device=torch.device("cpu")
    )
    return sampling(functions.state)
