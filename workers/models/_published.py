"""Weights that a library publishes for one of its networks."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWeights:
    """Weights as a library's own network has them.

    Attributes:
        state: The tensors, on the CPU.
        what: For people: the library and the set.
        heads: Names of layers, or what they begin with, that a checkpoint without classes may lack.
        unused: Names of tensors that the library has left out itself.
        spare: What names of tensors begin with that a network built without them has no use for.
    """

    state: Mapping[str, Tensor]
    what: str
    heads: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
