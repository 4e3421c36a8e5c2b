"""The signature of a data-free criterion."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap


@runtime_checkable
class Criterion(Protocol):
    """Scores channels; the lowest go first."""

    def __call__(
        self, state: Mapping[str, Tensor], channel_map: ChannelMap, generator: torch.Generator
    ) -> dict[str, Float[Tensor, " n"]]:
        """Group name -> score of each of its n units.

        Args:
            state: Tensors of the network.
            channel_map: Which channels of which tensors belong together.
            generator: Where randomness is drawn, on the CPU.
        """
