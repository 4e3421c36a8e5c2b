"""Tensors in what networks return: in tuples, lists, mappings and dataclasses, in any depth."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map


def leaves_of(value: Any) -> list[Any]:
    """The leaves of a structure, in its own order: tensors, and whatever is no structure."""
    leaves: list[Any] = []
    for leaf in tree_leaves(value):  # opens tuples, lists, dictionaries, and classes that are registered with torch
        if isinstance(leaf, Mapping):
            leaves += leaves_of(list(leaf.values()))
        elif _is_record(leaf):
            leaves += leaves_of([getattr(leaf, each.name) for each in fields(leaf)])
        else:
            leaves.append(leaf)
    return leaves


def floats_of(value: Any) -> list[Tensor]:
    """The floating-point tensors of a structure, in its own order."""
    return [leaf for leaf in leaves_of(value) if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def map_tensors(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """The same structure with every tensor changed; mappings of other classes become dictionaries."""

    def changed(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return change(leaf)
        if isinstance(leaf, Mapping):
            return {name: map_tensors(change, each) for name, each in leaf.items()}
        if _is_record(leaf):
            values = {each.name: map_tensors(change, getattr(leaf, each.name)) for each in fields(leaf) if each.init}
            return replace(leaf, **values)
        return leaf

    return tree_map(changed, value)


@contextmanager
def returning_leaves(network: nn.Module) -> Iterator[None]:
    """Lets a network return the list of its outputs' leaves: exporters know no dataclasses."""
    forward, own = network.forward, vars(network).get("forward")

    @wraps(forward)
    def flat(*args: Any, **kwargs: Any) -> list[Any]:
        return leaves_of(forward(*args, **kwargs))

    vars(network)["forward"] = flat
    try:
        yield
    finally:
        del vars(network)["forward"]
        if own is not None:
            vars(network)["forward"] = own


def _is_record(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)
