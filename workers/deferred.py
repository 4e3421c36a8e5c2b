"""Numbers that a device computes, read many at a time: reading one waits for all that the device has to do before."""

from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

import torch
from jaxtyping import Shaped
from torch import Tensor

Note = TypeVar("Note")

EVERY = 20
"""Numbers between two looks at a GPU."""


class Deferred(Generic[Note]):
    """Reads numbers in the order in which they came: on a CPU at once, on other devices now and then.

    As a context it reads those that are left at its end, also when that is an error: what a number says comes first,
    since it may be the reason.

    Args:
        device: What computes them.
        use: Called with each number, 1 and 0 for truth values, and its note.
        every: Numbers between two looks; default: 1 on a CPU, and `EVERY` elsewhere.
    """

    def __init__(
        self, device: torch.device | str, use: Callable[[float, Note], None], *, every: int | None = None
    ) -> None:
        on_cpu = torch.device(device).type == "cpu"
        self.every = every or (1 if on_cpu else EVERY)
        self._use = use
        self._waiting: list[tuple[Tensor, Note]] = []

    def add(self, number: Shaped[Tensor, ""], note: Note) -> None:
        """A number or a truth value, on the device; all are of one type."""
        self._waiting.append((number.detach(), note))
        if len(self._waiting) >= self.every:
            self.read()

    def read(self) -> None:
        """Read all numbers that came."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        for number, (_, note) in zip(torch.stack([each for each, _ in waiting]).tolist(), waiting, strict=True):
            self._use(float(number), note)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.read()
