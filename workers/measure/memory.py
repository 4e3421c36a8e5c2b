"""Peak memory of a forward pass: parameters, buffers, and live activations.

Counted on meta tensors, so it is the same on every machine. Excludes what libraries use beyond the tensors themselves
(a convolution's workspace, the allocator's rounding).
"""

import copy
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from jobs.errors import BadInputError


def peak_memory_bytes(model: nn.Module, input_shape: Sequence[int], *, batch_size: int = 1) -> int:
    """Peak bytes of all live tensors in one forward pass in evaluation mode.

    Args:
        model: From a batch of samples to anything; it is not changed.
        input_shape: Shape of one sample, without the batch dimension.
        batch_size: Samples in the batch.

    Raises:
        BadInputError: The network cannot be run on samples of that shape.
    """
    shadow = copy.deepcopy(model).to("meta").eval()
    own = {each.untyped_storage() for each in (*shadow.parameters(), *shadow.buffers())}
    own_bytes: int = sum(storage.nbytes() for storage in own)
    dtype = next((each.dtype for each in shadow.parameters() if each.is_floating_point()), torch.get_default_dtype())
    sample = torch.empty(batch_size, *input_shape, device="meta", dtype=dtype)
    try:
        with torch.inference_mode(), _LiveBytes() as live:
            live.track(sample)
            shadow(sample)
    except (RuntimeError, ValueError) as error:
        raise BadInputError(
            f"peak_memory_bytes: the network cannot be run on samples of shape {tuple(input_shape)} on the meta device "
            f"({error}); check the shape, and that the network makes its tensors on its input's device"
        ) from error
    peak: int = own_bytes + live.peak
    return peak


class _LiveBytes(TorchDispatchMode):
    """Tracks the storages that operators allocate.

    Attributes:
        peak: Largest number of live bytes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch left it without annotations
        self.peak: int = 0
        self._alive: dict[int, int] = {}

    def track(self, tensor: Tensor) -> None:
        """Count a tensor's storage until it is freed."""
        storage = tensor.untyped_storage()
        if id(storage) not in self._alive:
            self._alive[id(storage)] = storage.nbytes()
            weakref.finalize(storage, self._alive.pop, id(storage), None)
            self.peak = max(self.peak, sum(self._alive.values()))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.track(leaf)
        return result
