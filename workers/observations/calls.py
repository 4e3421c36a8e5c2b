"""The calls of torch functions in one forward pass: recorded once, then hooked by their numbers.

Calls are hooked, not modules, so that `nn.ReLU`, `functional.relu`, `x.relu()` and in-place variants are the same and a
module may be called many times. They are counted from the last call that read a parameter: so a detector's loops over
images and boxes, which read none and are longer or shorter from one batch to the next, do not shift the numbers of the
layers after them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from workers.inputs import Inputs, call

Visit: TypeAlias = Callable[[Sequence[Any], Mapping[str, Any], Any], Any]
"""Hook: from the arguments of a call, its keyword arguments and its result to the result that replaces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A call of a torch function that returned tensors.

    Attributes:
        number: Its number, which is the same in every pass; ascending.
        name: Name of the function, without the underscore of in-place variants.
        inputs: Identities of its input tensors.
        output: Identity of the returned tensor; None for several.
        shape: Shape of that tensor; empty for several.
        sums: Whether it is the sum of its inputs, each of them once and as it is.
    """

    number: int
    name: str
    inputs: frozenset[int]
    output: int | None
    shape: tuple[int, ...]
    sums: bool


def record(module: nn.Module, inputs: Inputs) -> list[RecordedCall]:
    """The calls of one forward pass, in order of execution.

    Args:
        module: In evaluation mode; runs once.
        inputs: A batch.
    """
    recorder = _Recorder()
    with torch.no_grad(), recorder:
        call(module, inputs)
    return recorder.calls


def visiting(visits: Mapping[int, Visit]) -> TorchFunctionMode:
    """A context for *one* forward pass, in which calls are hooked.

    Args:
        visits: Hooks by the numbers of calls that `record` found.
    """
    return _Visiting(visits)


def follower(calls: Sequence[RecordedCall], index: int) -> int | None:
    """The only call that reads a result; or the next one, if that changes it in place for all later ones.

    Args:
        calls: The result of `record`.
        index: Place of a call in it.

    Returns:
        The place of that call in it.
    """
    result = calls[index].output
    readers = [later for later in range(index + 1, len(calls)) if result in calls[later].inputs]
    if readers and (len(readers) == 1 or calls[readers[0]].output == result):
        return readers[0]
    return None


class _Counter:
    """Numbers calls by the parameters that were read, and by the calls since."""

    _MOST = 10**9  # calls between two that read parameters

    def __init__(self) -> None:
        self._reading, self._since = 0, 0

    def next(self, got: Iterable[Tensor]) -> int:
        """The number of a call with these input tensors."""
        if any(isinstance(tensor, nn.Parameter) for tensor in got):
            self._reading, self._since = self._reading + 1, 0
        else:
            self._since += 1
        return self._reading * self._MOST + self._since


class _Recorder(TorchFunctionMode):
    """Records the calls of one forward pass. Tensors are kept, so that no two share an identity."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[RecordedCall] = []
        self._kept: list[Tensor] = []
        self._counter = _Counter()

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        made = list(tensors_in(result))
        if made:
            got = list(tensors_in([args, kwargs or {}]))
            self._kept += [*made, *got]
            alone, name = isinstance(result, Tensor), getattr(function, "__name__", "").rstrip("_")
            self.calls.append(
                RecordedCall(
                    number=self._counter.next(got),
                    name=name,
                    inputs=frozenset(map(id, got)),
                    output=id(result) if alone else None,
                    shape=tuple(result.shape) if alone else (),
                    sums=name == "add" and _is_plain_sum(args, kwargs or {}),
                )
            )
        return result


def _is_plain_sum(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call of `torch.add` scales no summand, by `alpha` (of three arguments the second), and doubles none."""
    summands = [id(each) for each in tensors_in([args, kwargs])]
    return kwargs.get("alpha", 1) == 1 and len(args) <= 2 and len(set(summands)) == len(summands)


class _Visiting(TorchFunctionMode):
    """Counts the calls of one forward pass as `_Recorder` does."""

    def __init__(self, visits: Mapping[int, Visit]) -> None:
        super().__init__()
        self._visits, self._counter = visits, _Counter()

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if next(tensors_in(result), None) is None:
            return result
        visit = self._visits.get(self._counter.next(tensors_in([args, kwargs or {}])))
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
