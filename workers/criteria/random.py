"""Channels at random: the control of every criterion."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap


def random(
    state: Mapping[str, Tensor], channel_map: ChannelMap, generator: torch.Generator
) -> dict[str, Float[Tensor, " n"]]:
    """Independent uniform scores. See `Criterion` for the arguments."""
    return {
        group.name: torch.rand(group.width, dtype=torch.float64, generator=generator) for group in channel_map.groups
    }
