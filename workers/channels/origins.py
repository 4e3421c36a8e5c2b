"""Where the sizes in a network's code come from: an axis of a tensor, or a number in a module.

Code that writes `x.reshape(b, n, c)` with `b, n, c = y.shape` makes an axis as long as one of `y`: their channels only
go together. Code that writes `x.view(b, n, self.num_heads, -1)` needs another number when heads go. While a network is
traced, sizes and numbers are integers that know where they are from, and calls that are given one note it.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from workers.channels.attributes import numbers_of, set_number
from workers.channels.numbers_noted import note_numbers

Place: TypeAlias = tuple[str, str, int | None]
"""Dotted path of a module, name of an attribute, and position in it."""

_SERIAL, _SIZED = "orchard_serial", "orchard_sized"
"""Names of what is noted of a node."""

_SHAPES = frozenset({"view", "reshape", "expand"})
_PARTS = frozenset({"split", "split_with_sizes"})
_OVER_LAST = frozenset({"layer_norm", "rms_norm"})
"""Norms over the last axes, whose lengths they are given."""

_OF_NUMBERS = frozenset({torch.tensor, torch.as_tensor, Tensor.new_tensor})
"""Functions that make a tensor of numbers."""


@dataclass(frozen=True, slots=True)
class AxisOf:
    """An axis of the result of a call.

    Attributes:
        serial: number of the call.
        axis: of its result.
    """

    serial: int
    axis: int


Origin: TypeAlias = AxisOf | Place


@dataclass(frozen=True, slots=True)
class SizedAxis:
    """An axis of a call's results whose length the code takes from somewhere.

    Attributes:
        part: which of the results.
        axis: its axis.
        origin: where the length is from.
        bound: of a slice up to a number `stop`; of one that starts there `start`, and then the number is the length of
            what is left out.
        each: how many entries of the axis the number counts as one, such as a group of a norm.
    """

    part: int
    axis: int
    origin: Origin
    bound: Literal["", "start", "stop"] = ""
    each: int = 1


def serial_of(node: fx.Node) -> int | None:
    """The number by which origins name a call; None where nothing was noted of it."""
    serial: int | None = node.meta.get(_SERIAL)
    return serial


def sized_axes(node: fx.Node) -> tuple[SizedAxis, ...]:
    """The axes of a call's results whose lengths have a known origin."""
    sized: tuple[SizedAxis, ...] = node.meta.get(_SIZED, ())
    return sized


def is_own(module: nn.Module) -> bool:
    """Whether a module's numbers do not follow from its tensors, as those of torch's layers do.

    Those of its attention do not, nor do those of norms without weights.
    """
    bare = isinstance(module, (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)) and module.weight is None
    torchs = type(module).__module__.startswith("torch.nn.modules.")
    return bare or not torchs or isinstance(module, nn.MultiheadAttention)


def name_numbers(model: nn.Module) -> None:
    """Makes the numbers in a network's modules know where they are from; in place."""
    for path, module in model.named_modules():
        if is_own(module):
            for (name, position), value in numbers_of(module).items():
                set_number(module, name, position, _Named(value, (path, name, position)))


class _Named(int):
    """A whole number that knows where it is from; one that is computed from it does not."""

    origin: Origin | None

    def __new__(cls, value: int, origin: Origin | None = None) -> _Named:
        number = super().__new__(cls, value)
        number.origin = origin
        return number

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)


class NotingOrigins(TorchFunctionMode):
    """A context in which a traced network's sizes know where they are from, and the calls in its graph note it.

    Args:
        graph: gives the graph that is being made, or None where nothing is written down.
    """

    def __init__(self, graph: Callable[[], fx.Graph | None]) -> None:
        super().__init__()
        self._graph = graph
        self._calls: dict[int, int] = {}
        self._alive: list[Tensor] = []  # holds the tensors, so that no identity is used twice
        self._count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Calls the function, and notes."""
        kwargs = kwargs or {}
        before = self._last_node()
        result = func(*args, **kwargs)
        if isinstance(result, torch.Size) or (type(result) is int and func is Tensor.size):
            return self._named(result, args, kwargs) if _read_by_network() else result
        one = isinstance(result, Tensor)
        tensors = [result] if one else [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if tensors and (new := self._nodes_since(before)):
            self._note(new, tensors, args, kwargs)
            if func in _OF_NUMBERS and tensors[0].is_meta:
                note_numbers(new[-1], (leaf for leaf in tree_leaves((args, kwargs)) if not isinstance(leaf, Tensor)))
        return result

    def _last_node(self) -> fx.Node | None:
        graph = self._graph()
        return next(reversed(graph.nodes), None) if graph is not None else None

    def _nodes_since(self, before: fx.Node | None) -> list[fx.Node]:
        graph = self._graph()
        later = takewhile(lambda node: node is not before, reversed(graph.nodes)) if graph is not None else ()
        return list(later)[::-1]

    def _named(self, result: Any, args: Sequence[Any], kwargs: Any) -> Any:
        serial = self._calls.get(id(args[0]))
        if serial is None:
            return result
        if isinstance(result, torch.Size):
            return torch.Size([_Named(size, AxisOf(serial, axis)) for axis, size in enumerate(result)])
        return _Named(result, AxisOf(serial, args[1] if len(args) > 1 else kwargs["dim"]))

    def _note(self, new: list[fx.Node], tensors: list[Tensor], args: Any, kwargs: Any) -> None:
        parts = [node for node in new if node.target is operator.getitem]
        for node in new:
            node.meta[_SERIAL] = self._count = self._count + 1
        holders = new[-1:] if len(tensors) == 1 else parts
        if len(holders) == len(tensors):
            self._calls.update({id(tensor): node.meta[_SERIAL] for tensor, node in zip(tensors, holders, strict=True)})
            self._alive.extend(tensors)
        calls = [node for node in new if node not in parts]
        if len(calls) != 1:
            return
        leaves = [end for leaf in tree_leaves((args[1:], kwargs)) for end in _ends(leaf)]
        sizes = [leaf for leaf in leaves if isinstance(leaf, int)]
        if any(isinstance(size, _Named) for size in sizes):
            calls[0].meta[_SIZED] = tuple(_sized(calls[0], sizes, tensors))


def _ends(leaf: Any) -> tuple[Any, ...]:
    """The numbers in an argument: of a slice both of its ends."""
    return (leaf.start, leaf.stop) if isinstance(leaf, slice) else (leaf,)


def _sized(node: fx.Node, sizes: list[int], tensors: list[Tensor]) -> Iterable[SizedAxis]:
    """The axes of a call's results that these numbers in its arguments are the lengths of, in order."""
    name = str(node.target).split(".")[1]
    axes: list[tuple[int, int]] = []
    if name in _SHAPES and len(sizes) == tensors[0].ndim:
        axes = [(0, axis) for axis in range(len(sizes))]
    elif name in _PARTS and len(node.args) > 1:
        given = node.args[1]
        dim = int(node.args[2] if len(node.args) > 2 else node.kwargs.get("dim", 0))  # type: ignore[arg-type]
        count = len(given) if isinstance(given, list | tuple) else 1
        axes = [(part, dim % tensors[0].ndim) for part in range(count)]
    elif name in _OVER_LAST:
        axes = [(0, axis) for axis in range(tensors[0].ndim)][-len(node.args[1]) :]  # type: ignore[arg-type]
    elif name == "group_norm" and isinstance(sizes[0], _Named) and sizes[0].origin is not None:
        yield SizedAxis(0, 1, sizes[0].origin, each=tensors[0].shape[1] // sizes[0])
    elif name == "slice":
        yield from _bounds(node, sizes)
    for size, (part, axis) in zip(sizes, axes, strict=False):
        if isinstance(size, _Named) and size.origin is not None:
            yield SizedAxis(part, axis, size.origin)


def _bounds(node: fx.Node, ends: list[int]) -> Iterable[SizedAxis]:
    """The axis of a slice that ends at a number in a module, or starts there."""
    named = [end for end in ends if isinstance(end, _Named) and isinstance(end.origin, tuple)]
    _, axis, start, stop, *_ = (*node.args, 0, 0, None)[:4] if len(node.args) < 4 else node.args
    if len(named) == 1 and named[0].origin is not None and isinstance(axis, int):
        if start in (0, None) and stop == named[0]:
            yield SizedAxis(0, axis, named[0].origin, "stop")
        elif start == named[0] and stop == sys.maxsize:
            yield SizedAxis(0, axis, named[0].origin, "start")


def _read_by_network() -> bool:
    """Whether a size is read by the network's code, not by the tracer."""
    frame = sys._getframe(2)
    while frame.f_code.co_name == "__torch_function__" and frame.f_back is not None:
        frame = frame.f_back
    name = str(frame.f_globals.get("__name__", ""))
    return name.startswith("torch.nn.") or not name.startswith("torch.")
