"""The norms that a network of the zoo may have after its convolutions."""

from collections.abc import Callable, Mapping

from torch import nn

NORMS: Mapping[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "layer": lambda width: nn.GroupNorm(1, width),
    "none": lambda width: nn.Identity(),
}
"""Name -> the norm of a map of so many channels, with a scale and a shift for each.

`batch`: statistics of a channel over a batch; `layer`: of one image over all channels and places.
"""
