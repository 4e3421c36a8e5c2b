"""Double precision throughout, for comparisons of networks that change the types of their numbers as they run."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map


class InDouble(TorchDispatchMode):
    """A context in which networks in `double()` compute in double precision, whatever types of floats they ask for.

    They are made outside of it.

    Operators are asked for double precision instead, and given floats of other types in it. In inference mode `to` and
    `type_as` come as they are, else as what they are made of. What an operator writes to, or returns a view of, stays.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it without annotations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        kept = {argument.name for argument in func._schema.arguments if argument.alias_info is not None}
        names = [argument.name for argument in func._schema.arguments[: len(args)]]
        given = [value if name in kept else tree_map(_double, value) for name, value in zip(names, args, strict=True)]
        named = {name: value if name in kept else tree_map(_double, value) for name, value in kwargs.items()}
        return func(*given, **named)


def _double(leaf: Any) -> Any:
    if isinstance(leaf, torch.dtype):
        return torch.float64 if leaf.is_floating_point else leaf
    return leaf.double() if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf
