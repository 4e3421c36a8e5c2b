"""Algorithm 1 of INN: trains an integral network at all sizes at once, within any training loop."""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from workers.integral.network import IntegralNetwork
from workers.integral.sizes import sample_sizes


class DrawnSizes(nn.Module):
    """Runs an integral network at sizes drawn anew for every training pass, and at full size in evaluation.

    With one forward pass per gradient step this is Algorithm 1 of INN: a size for every group, a uniform partition of
    that size, weights from the functions, one step. The number of passes is part of the state, so that a training
    resumed from a checkpoint draws the same sizes.

    Args:
        network: The network to train.
        seed: Seed of the sizes.
        smallest: Smallest size as a fraction of the width, in [0, 1]; see `sample_sizes`.
        whole: Names of the groups that are always at full size.
    """

    passes: Tensor

    def __init__(self, network: IntegralNetwork, *, seed: int, smallest: float, whole: Collection[str] = ()) -> None:
        super().__init__()
        self.network = network
        self._widths = {name: network.channel_map.widths()[name] for name in network.sizes}
        self._drawn = {name: width for name, width in self._widths.items() if name not in whole}
        self._seed, self._smallest = seed, smallest
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Any:
        """The network's output for a batch of what it takes."""
        sizes = self._widths
        if self.training:
            drawn = sample_sizes(self._seed, int(self.passes), self._drawn, self._smallest)
            sizes = {**self._widths, **drawn}
            self.passes += 1
        if sizes != self.network.sizes:
            self.network.resize(sizes)
        return self.network(*args, **kwargs)
