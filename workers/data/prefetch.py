"""Calls of a function in worker processes, ahead of time, by torch's DataLoader; the results come in order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from jobs.errors import BadInputError

_Asked = TypeVar("_Asked")
_Read = TypeVar("_Read")


class Prefetcher(Generic[_Asked, _Read]):
    """Worker processes that call one function; they start at the first call and stay until this is dropped.

    Torch's global generator is not drawn from, so that what draws from it here does not notice.

    Args:
        read: The function. A `BadInputError` of it is raised where its result would be.
        workers: Number of processes, at least 1.
        pin: Put the tensors of the results into pinned memory.
    """

    def __init__(self, read: Callable[[_Asked], _Read], *, workers: int, pin: bool = False) -> None:
        self._asked: list[_Asked] = []
        self._loader: DataLoader[Any] = DataLoader(
            _Calls(read),
            batch_size=None,
            sampler=self._asked,
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=pin,
            persistent_workers=True,
            generator=torch.Generator(),
        )

    def results(self, asked: Sequence[_Asked]) -> Iterator[_Read]:
        """The function's results for plain values, in their order; those of an earlier call are over.

        Raises:
            BadInputError: The function raised it.
        """
        self._asked[:] = asked
        for result in self._loader:
            if isinstance(result, BadInputError):
                raise result
            yield result


class _Calls(Dataset[Any]):
    """What the DataLoader takes for a data set: indices are arguments."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self._read = read

    def __getitem__(self, asked: Any) -> Any:
        try:
            return self._read(asked)
        except BadInputError as error:  # as a value, since the DataLoader would raise it with another text
            return error


def _as_it_is(value: Any) -> Any:
    return value
