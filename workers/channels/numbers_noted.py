"""Numbers that a network's code brings into a graph in tensors, such as `torch.tensor(width**0.5)`.

On the meta device tensors have no numbers. So a call that makes such a tensor of numbers, or takes one that has some,
notes them: as numbers in the code, they must not change when channels are removed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real

import torch
from torch import Tensor, fx
from torch.utils._pytree import tree_leaves

_NOTED = "orchard_numbers"
"""Name of what is noted of a node."""

_MANY = 1000
"""Tensors of more numbers are not read: tables, whose entries would take longer to compare than the pass takes."""


def note_numbers(node: fx.Node, arguments: Iterable[object]) -> None:
    """Notes the numbers among the arguments of a call, and those in tensors.

    NaN is left out, which equals no number.
    """
    leaves = tree_leaves([_opened(each) for each in arguments])
    found = (float(leaf) for leaf in leaves if isinstance(leaf, Real) and not math.isnan(leaf))
    node.meta[_NOTED] = (*numbers_noted(node), *found)


def numbers_noted(node: fx.Node) -> tuple[float, ...]:
    """The numbers that were noted of a call."""
    noted: tuple[float, ...] = node.meta.get(_NOTED, ())
    return noted


def has_numbers(value: object) -> bool:
    """Whether this is a tensor with numbers, not on the meta device."""
    return isinstance(value, Tensor) and not value.is_meta


def _opened(argument: object) -> object:
    """The numbers in a tensor, as lists; nothing if it has none, or too many."""
    if not isinstance(argument, Tensor):
        return argument
    if not has_numbers(argument) or argument.numel() > _MANY:
        return None
    plain = torch.view_as_real(argument.resolve_conj()) if argument.is_complex() else argument
    return plain.tolist()
