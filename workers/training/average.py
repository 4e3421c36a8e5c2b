"""The exponential moving average of a network's weights in training, a third state beside the last and the best."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class MovingAverage:
    """Averages all floating-point tensors of a network's state, batch norms' statistics among them; others are copied.

    As `torch.optim.swa_utils.AveragedModel` with `use_buffers`, but without a copy of the module, and without waiting
    for the device.

    Args:
        model: The network, on its device.
        decay: What remains of the average at every update.

    Attributes:
        tensors: The average, by the names of the state; the state itself before the first update.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._blend = get_ema_multi_avg_fn(decay)
        self.tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        self.updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take the present state into the average; the first one is the average."""
        state = self._model.state_dict()
        averaged = [name for name, tensor in state.items() if tensor.is_floating_point()] if self.updates else []
        for dtype in {state[name].dtype for name in averaged}:
            names = [name for name in averaged if state[name].dtype == dtype]
            self._blend([self.tensors[name] for name in names], [state[name] for name in names], self.updates)
        for name in state.keys() - averaged:
            self.tensors[name].copy_(state[name])
        self.updates += 1

    def restore(self, tensors: Mapping[str, Tensor], updates: int) -> None:
        """Go on from an average of the same network, after so many updates."""
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name])
        self.updates = updates

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """The network computes with the average; at the end it has its own state again."""
        own = {name: tensor.clone() for name, tensor in self._model.state_dict().items()}
        put(self._model, self.tensors)
        try:
            yield
        finally:
            put(self._model, own)


@torch.no_grad()
def put(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a network another state of its own, in place."""
    for name, tensor in model.state_dict().items():
        tensor.copy_(state[name])
