"""The calls of torch functions in one forward pass: recorded once, then hooked by their numbers.

Calls are hooked, not modules, so that `nn.ReLU`, `functional.relu`, `x.relu()` and in-place variants are the same and a
module may be called many times.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Visit: TypeAlias = Callable[[Sequence[Any], Mapping[str, Any], Any], Any]
"""Hook: from the arguments of a call, its keyword arguments and its result to the result that replaces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A call of a torch function that returned tensors.

    Attributes:
        name: Name of the function, without the underscore of in-place variants.
        inputs: Identities of its input tensors.
        output: Identity of the returned tensor; None for several.
        shape: Shape of that tensor; empty for several.
    """

    name: str
    inputs: frozenset[int]
    output: int | None
    shape: tuple[int, ...]


def record(module: nn.Module, image: Tensor) -> list[RecordedCall]:
    """The calls of one forward pass, in order of execution.

    Args:
        module: In evaluation mode; runs once.
        image: A batch of inputs.
    """
    recorder = _Recorder()
    with torch.no_grad(), recorder:
        module(image)
    return recorder.calls


def visiting(visits: Mapping[int, Visit]) -> TorchFunctionMode:
    """A context for *one* forward pass, in which calls are hooked.

    Args:
        visits: Hooks by the number of the call in the result of `record`.
    """
    return _Visiting(visits)


def follower(calls: Sequence[RecordedCall], number: int) -> int | None:
    """The only call that reads a result; or the next one, if that changes it in place for all later ones."""
    result = calls[number].output
    readers = [later for later in range(number + 1, len(calls)) if result in calls[later].inputs]
    if readers and (len(readers) == 1 or calls[readers[0]].output == result):
        return readers[0]
    return None


class _Recorder(TorchFunctionMode):
    """Records the calls of one forward pass. Tensors are kept, so that no two share an identity."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[RecordedCall] = []
        self._kept: list[Tensor] = []

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        made = list(tensors_in(result))
        if made:
            got = list(tensors_in([args, kwargs or {}]))
            self._kept += [*made, *got]
            alone = isinstance(result, Tensor)
            self.calls.append(
                RecordedCall(
                    name=getattr(function, "__name__", "").rstrip("_"),
                    inputs=frozenset(map(id, got)),
                    output=id(result) if alone else None,
                    shape=tuple(result.shape) if alone else (),
                )
            )
        return result


class _Visiting(TorchFunctionMode):
    """Counts the calls of one forward pass as `_Recorder` does."""

    def __init__(self, visits: Mapping[int, Visit]) -> None:
        super().__init__()
        self._visits, self._count = visits, 0

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if next(tensors_in(result), None) is None:
            return result
        visit = self._visits.get(self._count)
        self._count += 1
        return result if visit is None else visit(args, kwargs or {}, result)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors among arguments or results, in containers too."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)
