"""A layer that picks channels: where layers read one stream, each may have a choice of its own.

The channel selection of pre-activation networks (Liu et al. 2017, arXiv:1708.06519, section 3, "handling cross layer
connections and pre-activation structure"). Knows no criterion.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ChannelSelection(nn.Module):
    """Passes on the channels whose numbers are in `index`, in that order; at first all of them.

    `index` is a buffer, so that a network with fewer of them is restored from its tensors.

    Args:
        channels: Of the input.
    """

    index: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("index", torch.arange(channels))

    def forward(self, features: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n selected h w"]:
        """Features to some of them."""
        return features.index_select(1, self.index)


def selection(channels: int, wanted: bool) -> nn.Module:
    """A selection where one is wanted; else nothing, and no tensor more."""
    return ChannelSelection(channels) if wanted else nn.Identity()
