"""Peak memory of a forward pass: parameters, buffers, and live activations.

Counted on meta tensors where the network runs on them, so it is the same on every machine. Excludes what libraries use
beyond the tensors themselves (a convolution's workspace, the allocator's rounding).
"""

import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from workers.inputs import Inputs, InputsLike, tensors_of
from workers.measure.running import run_counted


def peak_memory_bytes(model: nn.Module, inputs: InputsLike, *, batch_size: int = 1) -> int:
    """Peak bytes of all live tensors in one forward pass in evaluation mode.

    Args:
        model: From a batch of samples to anything; it is not changed.
        inputs: What it takes.
        batch_size: Samples in the batch.

    Raises:
        BadInputError: The network cannot be run on such samples.
    """
    own = {each.untyped_storage() for each in (*model.parameters(), *model.buffers())}
    own_bytes: int = sum(storage.nbytes() for storage in own)
    live = run_counted(model, inputs, LiveBytes, batch_size=batch_size, purpose="peak_memory_bytes")
    return own_bytes + live.peak


class LiveBytes(TorchDispatchMode):
    """Tracks the storages that operators allocate.

    Args:
        network: What runs, itself; its parameters and buffers, and views of them, do not count.
        inputs: What is there from the beginning.

    Attributes:
        peak: Largest number of live bytes.
    """

    def __init__(self, network: nn.Module, inputs: Inputs) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch left it without annotations
        self.peak: int = 0
        self._alive: dict[int, int] = {}
        for stored in (*network.parameters(), *network.buffers()):
            self._track(stored.untyped_storage(), 0)
        for tensor in tensors_of(inputs):
            self.track(tensor)

    @property
    def now(self) -> int:
        """Number of live bytes."""
        return sum(self._alive.values())

    def track(self, tensor: Tensor) -> None:
        """Count a tensor's storage until it is freed."""
        storage = tensor.untyped_storage()
        self._track(storage, storage.nbytes())

    def of(self, tensors: Iterable[Tensor]) -> int:
        """How many of the live bytes are those of tensors."""
        return sum(self._alive.get(storage, 0) for storage in {id(each.untyped_storage()) for each in tensors})

    def _track(self, storage: torch.UntypedStorage, size: int) -> None:
        if id(storage) not in self._alive:
            self._alive[id(storage)] = size
            weakref.finalize(storage, self._alive.pop, id(storage), None)
            self.peak = max(self.peak, self.now)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.track(leaf)
        return result
