"""A recorded forward pass, so that passes with some other tensors can start where these are first used.

Calls of torch functions are recorded, as in `calls`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from workers.inputs import Inputs, call_arguments
from workers.observations.calls import tensors_in


class KeptPass:
    """One forward pass of a network, with the results of all its calls.

    All results stay in memory. The inputs and the tensors must not be changed meanwhile.

    Args:
        module: In evaluation mode.
        tensors: Its parameters and buffers, by name.
        inputs: What it is called with.

    Attributes:
        output: Its output.
    """

    def __init__(self, module: nn.Module, tensors: Mapping[str, Tensor], inputs: Inputs) -> None:
        self._module, (self._args, self._kwargs) = module, call_arguments(inputs)
        keeper = _Keeper()
        with keeper:
            self.output: Any = functional_call(module, dict(tensors), self._args, self._kwargs, tie_weights=False)
        self._results = keeper.results
        self._in_place = keeper.in_place
        self._uses = {name: keeper.uses[id(tensor)] for name, tensor in tensors.items() if id(tensor) in keeper.uses}

    def first_use(self, names: Iterable[str]) -> int:
        """Number of the first call that can differ in a pass with other values of these tensors.

        A tensor that no recorded call read may be used anywhere. Results that are changed in place later are
        recomputed, so that the recorded ones stay valid.
        """
        start = min((self._uses.get(name, 0) for name in names), default=len(self._results))
        for made, changed in reversed(self._in_place):  # moving to an earlier start can only meet earlier changes
            if made < start <= changed:
                start = max(made, 0)
        return start

    def run(self, tensors: Mapping[str, Tensor], start: int) -> Any:
        """The output with other tensors, none of which is used before the call `start`."""
        with _Replayer(self._results[:start]):
            return functional_call(self._module, dict(tensors), self._args, self._kwargs, tie_weights=False)


class _Keeper(TorchFunctionMode):
    """Records the results of calls.

    Attributes:
        results: Result of every call.
        uses: Identity of a tensor -> number of the first call that read it.
        in_place: For every call that wrote to a tensor, in order: the call that allocated it (-1: none), and its own
            number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Any] = []
        self.uses: dict[int, int] = {}
        self.in_place: list[tuple[int, int]] = []
        self._got: list[Tensor] = []  # kept, so that no two share an identity
        self._maker: dict[int, int] = {}

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        number, got = len(self.results), list(tensors_in([args, kwargs or {}]))
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Iterator):  # over the rows of a tensor; it can be used once only
            result = _Rows(result)
        self._got += got
        for tensor in got:
            self.uses.setdefault(id(tensor), number)
        made, before = list(tensors_in(result)), {id(tensor) for tensor in got}
        # A call that returns an input counts as one that wrote to it, too.
        written = [*(got[:1] if function is Tensor.__setitem__ else ()), *(each for each in made if id(each) in before)]
        self.in_place += [(self._maker.get(_memory(tensor), -1), number) for tensor in written]
        for tensor in made:
            self._maker.setdefault(_memory(tensor), number)
        self.results.append(result)
        return _given(result)


class _Rows(tuple[Tensor, ...]):
    """What an iterator over a tensor gave."""


def _given(result: Any) -> Any:
    """The result of a call as the caller gets it."""
    return iter(result) if isinstance(result, _Rows) else result


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


class _Replayer(TorchFunctionMode):
    """Replays the recorded results of the first calls."""

    def __init__(self, results: Sequence[Any]) -> None:
        super().__init__()
        self._results, self._count = results, 0

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        number = self._count
        self._count += 1
        return _given(self._results[number]) if number < len(self._results) else function(*args, **(kwargs or {}))
