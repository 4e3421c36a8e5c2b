"""A layer that selects channels, so that each reader of a stream can be pruned on its own.

The channel selection of pre-activation networks (Liu et al. 2017, arXiv:1708.06519, section 3, "handling cross layer
connections and pre-activation structure").
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ChannelSelection(nn.Module):
    """Selects the channels in `index`, in that order; initially all of them.

    `index` is a buffer, so that a pruned network is restored from its tensors.

    Args:
        channels: Channels of the input.
    """

    index: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("index", torch.arange(channels))

    def forward(self, features: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n selected h w"]:
        """Features to the selected ones."""
        return features.index_select(1, self.index)


def selection(channels: int, wanted: bool) -> nn.Module:
    """A channel selection if wanted; otherwise an identity without tensors."""
    return ChannelSelection(channels) if wanted else nn.Identity()
