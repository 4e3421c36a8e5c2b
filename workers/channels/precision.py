"""Double precision throughout, for comparisons of networks that change the types of their numbers as they run."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class InDouble(TorchDispatchMode):
    """A context in which a change to a type of floats is a change to double precision; for networks in `double()`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it without annotations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.ops.aten._to_copy.default:
            wanted = kwargs.get("dtype")
            if wanted is not None and wanted.is_floating_point:
                kwargs["dtype"] = torch.float64
        return func(*args, **kwargs)
