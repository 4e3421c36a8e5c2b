"""Records the operators of one pass on the meta device in a graph.

Below autograd, an operator that is composed of others (`linear`, `conv2d`, `matmul`) reaches a dispatch mode whole, as
it does where `torch.export` traces. Shapes are computed by torch's meta kernels, and nothing else is: a record takes
about as long as the pass.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from workers.channels.numbers_noted import has_numbers, note_numbers
from workers.channels.origins import NotingOrigins, name_numbers
from workers.nested import returning_leaves

_FRESH = torch.ops.aten.lift_fresh.default
"""What `torch.tensor` calls of the tensor that it made of numbers."""

_READS = (torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default)
"""What reads a number from a tensor."""

_HIDING = frozenset({Tensor.new_full, Tensor.fill_, torch.full, torch.full_like})
"""Functions that take a tensor for a number, and read it where the network's code does not see it."""

Stack = dict[str, tuple[str, str]]
"""Path and class of each module at work, the innermost last, by its path: what torch's tracers note of a node."""


def recorded(
    network: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, noting: bool
) -> tuple[fx.Graph, dict[str, str]]:
    """The graph of one pass, and the dotted name of the parameter or buffer of a placeholder, by the latter's name.

    Args:
        network: on the meta device, in the mode that is wanted.
        args: its arguments.
        kwargs: its keyword arguments.
        noting: whether calls note where sizes come from (see `origins`).

    Raises:
        Exception: whatever the network's own code raises, such as where it reads a number from a tensor.
    """
    recorder = Recorder(network, (args, dict(kwargs)))
    if noting:
        name_numbers(network)
    with ExitStack() as contexts:
        contexts.enter_context(returning_leaves(network))
        contexts.enter_context(recorder.following(network))
        contexts.enter_context(without_fast_attention())
        contexts.enter_context(torch._C._AutoDispatchBelowAutograd())
        contexts.enter_context(recorder)
        contexts.enter_context(recorder.calls)
        if noting:
            contexts.enter_context(NotingOrigins(lambda: recorder.graph))
        results = network(*args, **kwargs)
    recorder.finish(results)
    return recorder.graph, recorder.tensors


@contextmanager
def without_fast_attention() -> Iterator[None]:
    """Keeps torch's attention from its fused kernel, which checks no sizes."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class UnknownTensorError(RuntimeError):
    """A tensor that no recorded operator made, and that is neither stored in a module nor an input."""


class UnknownNumberError(RuntimeError):
    """A number that the network's code reads from a tensor, and might decide by."""


class _Calls(TorchFunctionMode):
    """A context that knows the function of torch that is called.

    Attributes:
        function: the one at work.
    """

    def __init__(self) -> None:
        super().__init__()
        self.function: Any = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Calls the function."""
        before, self.function = self.function, func
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.function = before


class Recorder(TorchDispatchMode):
    """A context in which the operators of a network's pass are written down.

    Attributes:
        graph: what was recorded; `meta["val"]` of a node is its result, or the list of its results.
        tensors: dotted name of the parameter or buffer of a placeholder, by the placeholder's name.
        calls: a context in which the network has to run, too.

    Args:
        network: on the meta device.
        inputs: tensors that it is given, in any structure.
    """

    def __init__(self, network: nn.Module, inputs: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
        self.graph = fx.Graph()
        self.tensors: dict[str, str] = {}
        self._nodes: dict[int, fx.Node] = {}
        self._alive: list[Tensor] = []  # holds the tensors, so that no identity is used twice
        self._stack: list[Stack] = [{}]
        self._read: fx.Node | None = None
        self.calls = _Calls()
        for kind, named in (("p", network.named_parameters()), ("b", network.named_buffers())):
            for name, tensor in named:
                self.tensors[self._placeholder(f"{kind}_{name.replace('.', '_')}", tensor).name] = name
        for leaf in tree_leaves(inputs):
            if isinstance(leaf, Tensor) and id(leaf) not in self._nodes:
                self._placeholder("input", leaf)
        values = (value for module in network.modules() for value in vars(module).values())
        self._constants = {id(value) for value in values if isinstance(value, Tensor)}

    @contextmanager
    def following(self, network: nn.Module) -> Iterator[None]:
        """Records which of a network's modules are at work."""
        with ExitStack() as hooks:
            for path, module in network.named_modules():
                begin, end = self._begin(path, type(module).__qualname__), self._end
                hooks.enter_context(_removed(module.register_forward_pre_hook(begin)))
                hooks.enter_context(_removed(module.register_forward_hook(end, always_call=True)))
            yield

    def finish(self, results: Sequence[Any]) -> None:
        """Ends the graph with what the network returned."""
        self.graph.output([self._node(leaf) if isinstance(leaf, Tensor) else leaf for leaf in results])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Calls the operator, and writes it down."""
        kwargs = kwargs or {}
        if func in _READS and args[0].is_meta:
            return self._number(func, args[0])
        given, named = self._written(args), self._written(kwargs)
        self._read = None
        result = func(*args, **kwargs)
        target = torch.ops.aten.lift_fresh_copy.default if func is _FRESH else func
        node = self._call(target, given, named, target.overloadpacket.__name__)
        known = [source for source in node.all_input_nodes if has_numbers(source.meta["val"])]
        if known and any(isinstance(leaf, Tensor) and leaf.is_meta for leaf in tree_leaves(result)):
            note_numbers(node, (source.meta["val"] for source in known if not _is_random(source)))
        if isinstance(result, Tensor):
            self._made(node, result)
        elif isinstance(result, (list, tuple)):
            node.meta["val"] = [_snapshot(part) for part in result]
            for index, part in enumerate(result):
                if isinstance(part, Tensor):
                    self._made(self._call(operator.getitem, (node, index), {}, "getitem"), part)
        elif _is_random(node):
            raise UnknownNumberError("the network's code decides by chance")
        else:
            node.meta["val"] = None
        return result

    def _number(self, func: Any, tensor: Tensor) -> float:
        """Stands for a number in a tensor, for the one operator that takes it."""
        if self.calls.function not in _HIDING or not tensor.is_floating_point():
            raise UnknownNumberError("the network's code reads a number from a tensor")
        self._read = self._call(func, (self._node(tensor),), {}, "item")
        self._read.meta["val"] = None
        return math.nan

    def _begin(self, path: str, kind: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            self._stack.append({**self._stack[-1], path: (path, kind)})

        return hook

    def _end(self, *_: Any) -> None:
        self._stack.pop()

    def _call(self, target: Any, args: Any, kwargs: Any, name: str) -> fx.Node:
        plain = name.strip("_") if name.startswith("__") else name
        node = self.graph.create_node("call_function", target, args, kwargs, name=plain)
        node.meta["nn_module_stack"] = self._stack[-1]
        return node

    def _made(self, node: fx.Node, tensor: Tensor) -> None:
        node.meta["val"] = _snapshot(tensor)
        self._nodes[id(tensor)] = node
        self._alive.append(tensor)

    def _placeholder(self, name: str, tensor: Tensor) -> fx.Node:
        node = self.graph.placeholder(name)
        self._made(node, tensor)
        return node

    def _node(self, tensor: Tensor) -> fx.Node:
        known = self._nodes.get(id(tensor))
        if known is not None:
            return known
        if tensor.is_meta and id(tensor) not in self._constants:
            raise UnknownTensorError(f"a tensor of shape {tuple(tensor.shape)} is from nowhere")
        with self.graph.inserting_before(next(iter(self.graph.nodes))):
            return self._placeholder("constant", tensor)

    def _written(self, value: Any) -> Any:
        """An argument with nodes in place of tensors."""
        if isinstance(value, Tensor):
            return self._node(value)
        if isinstance(value, (list, tuple)):
            return type(value)(self._written(part) for part in value)
        if isinstance(value, float) and math.isnan(value) and self._read is not None:
            return self._read
        if isinstance(value, Mapping):
            return {key: self._written(part) for key, part in value.items()}
        return value


def _is_random(node: fx.Node) -> bool:
    """Whether a call's result depends on random numbers."""
    known, open_nodes = {node}, [node]
    while open_nodes:
        node = open_nodes.pop()
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            return True
        open_nodes += [source for source in node.all_input_nodes if source not in known]
        known.update(node.all_input_nodes)
    return False


def _snapshot(value: Any) -> Any:
    """A tensor that keeps its shape when this one is changed in place."""
    return value.detach() if isinstance(value, Tensor) else value


@contextmanager
def _removed(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
