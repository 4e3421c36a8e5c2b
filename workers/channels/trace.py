"""Traces a module to a graph of operators, without running or changing it.

The network is copied to the meta device (shapes, no numbers). One pass is recorded there (`recording`); where the code
reads numbers from tensors, `torch.export` traces it (`exporting`).

The copy has no forward hooks, so that observers do not get meta tensors. A hook that *changes* an output is ignored.
"""

from __future__ import annotations

import copy
import sysconfig
import traceback
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import workers
from workers.channels.exporting import exported
from workers.channels.recording import recorded, without_fast_attention
from workers.inputs import InputsLike, as_spec, call_arguments
from workers.nested import leaves_of

BATCH = 2
"""Batch size of the example: 1 would be treated as a constant, and batch norm needs at least 2 to train."""

_HOOK_MARKS = ("_output_capturing_hooks_installed",)
"""Attributes by which a library (transformers) knows that its hooks are there; a copy without hooks lacks them."""

_NOT_ITS = (
    *(f"{Path(str(module.__file__)).parent}/" for module in (torch, workers)),
    f"{sysconfig.get_path('stdlib')}/",
    "<",
)
"""How the files begin that are no code of a network."""

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a network is traced.

    Attributes:
        exporting: by `torch.export`, where a pass cannot be recorded since the code reads numbers from tensors.
        noting: with notes of where sizes come from; some code takes only plain numbers.
    """

    exporting: bool = False
    noting: bool = True


WAYS = tuple(Way(exporting=exporting, noting=noting) for exporting in (False, True) for noting in (True, False))


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedGraph:
    """A graph of `aten` operators.

    Attributes:
        graph: nodes in order of execution; every node's `meta["val"]` has the shape of its result.
        tensors: dotted name of the parameter or buffer of a placeholder, by the placeholder's name.
        way: how it was made.
    """

    graph: torch.fx.Graph
    tensors: Mapping[str, str]
    way: Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The inputs of one call of a network, on the meta device.

    Attributes:
        subject: what is called, in words, for errors.
        args: arguments; tensors may be in lists, tuples and dicts.
        kwargs: keyword arguments.
    """

    subject: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_inputs(cls, model: nn.Module, inputs: InputsLike) -> Example:
        """A batch of `BATCH` samples.

        Args:
            model: the network.
            inputs: what it takes.
        """
        args, kwargs = call_arguments(as_spec(inputs).blank(BATCH, dtype_of(model)))
        return cls(subject=type(model).__name__, args=args, kwargs=kwargs)

    def __str__(self) -> str:
        shapes = [str(tuple(leaf.shape)) for leaf in tree_leaves([self.args, self.kwargs]) if isinstance(leaf, Tensor)]
        return f"an input of shape {shapes[0]}" if len(shapes) == 1 else f"inputs of shapes {', '.join(shapes)}"


def dtype_of(model: nn.Module) -> torch.dtype:
    """Type of a network's numbers."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.get_default_dtype())


def bare_copy(model: nn.Module) -> nn.Module:
    """A copy without forward hooks."""
    return _unmarked(copy.deepcopy(model, _no_hooks(model)))


def meta_copy(model: nn.Module, shapes: Mapping[str, tuple[int, ...]] | None = None) -> nn.Module:
    """A copy on the meta device, without forward hooks; no number is copied and the original stays as it is.

    Args:
        model: the network.
        shapes: shapes of parameters and buffers of the copy that are not those of the network, by dotted name.
    """
    memo = _no_hooks(model)
    for path, module in model.named_modules() if shapes else ():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            shape = shapes.get(f"{path}.{name}" if path else name) if shapes else None
            if tensor is not None and shape is not None:
                memo[id(tensor)] = _meta(tensor, shape)
    for module in model.modules():
        values = [*module._parameters.values(), *module._buffers.values(), *vars(module).values()]
        for value in values:
            if isinstance(value, Tensor) and id(value) not in memo:
                memo[id(value)] = _meta(value, tuple(value.shape))
    return _unmarked(copy.deepcopy(model, memo))


def _unmarked(model: nn.Module) -> nn.Module:
    for module in model.modules():
        for attribute in _HOOK_MARKS:
            vars(module).pop(attribute, None)
    return model


def _no_hooks(model: nn.Module) -> dict[int, Any]:
    """The memo of a deep copy that leaves out all hooks."""
    return {id(getattr(module, attribute)): OrderedDict() for module in model.modules() for attribute in _HOOKS}


def _meta(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    sized = tensor if shape == tuple(tensor.shape) else tensor.new_empty(shape, device="meta")
    empty = torch.empty_like(sized, device="meta", requires_grad=False)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty


def trace(
    meta_model: nn.Module, example: Example, *, training: bool = False, ways: Sequence[Way] = WAYS
) -> TracedGraph:
    """Traces a network that lives on the meta device.

    A copy of it is traced, so that what the network remembers of a call, such as anchors of the last input's size, is
    the same before each trace. The calls in the graph know where the code takes sizes from (see `origins`).

    Args:
        meta_model: what `meta_copy` returned.
        example: its inputs.
        training: trace the training pass (auxiliary heads and all) instead of the evaluation pass.
        ways: how to trace it, the next one where one fails.

    Raises:
        ValueError: the network cannot be traced; the last error is the cause.
    """
    for way in ways:
        network = meta_copy(meta_model).train(training)
        follow = exported if way.exporting else recorded
        try:
            graph, tensors = follow(network, example.args, example.kwargs, noting=way.noting)
        except Exception as error:  # whatever the network's own code raises, such as where it takes only an `int`
            failure = error
        else:
            return TracedGraph(graph=graph, tensors=tensors, way=way)
    raise _failure(example, "traced", failure) from failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a module.

    Attributes:
        path: dotted path of the module.
        args: its arguments, on the meta device.
        kwargs: its keyword arguments.
        before: how many of torch's functions were called before it.
    """

    path: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedCall:
    """One call of a module that ended well.

    Attributes:
        call: the call.
        outlines: what its result looks like.
        length: how many of torch's functions it called.
    """

    call: Call
    outlines: tuple[object, ...]
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """How far an evaluation pass came.

    Attributes:
        error: why it ended early, in words; empty if it did not.
        calls: how many of torch's functions were called before.
        at_work: calls of the modules at work when it ended early, the innermost last.
        finished: the calls of modules that ended before, in order.
    """

    error: str
    calls: int
    at_work: tuple[Call, ...]
    finished: tuple[FinishedCall, ...]


def run(meta_model: nn.Module, example: Example, *, reads_numbers: bool = False) -> Pass:
    """Runs the evaluation pass of a network on the meta device: shapes have to fit, nothing is computed.

    Args:
        meta_model: what `meta_copy` returned; put into eval mode.
        example: its inputs.
        reads_numbers: whether it reads numbers from tensors, such as strides: they are 1. It is slower then.
    """
    meta_model.eval()
    counter = _Counter()
    stack: list[Call] = []
    finished: list[FinishedCall] = []

    def begin(path: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            stack.append(Call(path=path, args=args, kwargs=kwargs, before=counter.calls))

        return hook

    def end(_: nn.Module, __: tuple[Any, ...], result: object) -> None:
        call = stack.pop()
        finished.append(FinishedCall(call=call, outlines=_outlines(result), length=counter.calls - call.before))

    handles = []
    for path, module in meta_model.named_modules():
        handles.append(module.register_forward_pre_hook(begin(path), with_kwargs=True))
        handles.append(module.register_forward_hook(end))
    error = ""
    try:
        with torch.no_grad(), without_fast_attention(), counter, _OnesForNumbers() if reads_numbers else nullcontext():
            meta_model(*example.args, **example.kwargs)
    except Exception as failure:  # whatever the network's own code raises
        error = str(_failure(example, "run", failure))
    finally:
        for handle in handles:
            handle.remove()
    return Pass(error=error, calls=counter.calls, at_work=tuple(stack), finished=tuple(finished))


def _outlines(result: object) -> tuple[object, ...]:
    """What a module's result looks like: shapes of tensors, simple values, and for what else a thing like no other."""
    simple = (int, float, str, type(None))
    return tuple(
        tuple(leaf.shape) if isinstance(leaf, Tensor) else leaf if isinstance(leaf, simple) else object()
        for leaf in leaves_of(result)
    )


class _Counter(TorchFunctionMode):
    """Counts the calls of torch's functions."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        return func(*args, **(kwargs or {}))


class _OnesForNumbers(TorchDispatchMode):
    """Gives 1 for a number that is read from a tensor without numbers."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it without annotations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return torch.ones((), dtype=args[0].dtype).item()
        return func(*args, **(kwargs or {}))


def _failure(example: Example, verb: str, error: Exception) -> ValueError:
    message = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, GuardOnDataDependentSymNode):
        message = "it decides by values of tensors, which are unknown before it runs; let it compute both (torch.where)"
    else:
        message = f"{type(error).__name__}: {message}"
    return ValueError(f"{example.subject} cannot be {verb} on {example}{_place(error)}: {message}")


def _place(error: Exception) -> str:
    """The innermost line of the network's code that an error came through, within a sentence; empty where unknown."""
    frames = (frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_NOT_ITS))
    last = next(iter(reversed([*frames])), None)
    return f" ({Path(last.filename).name}, line {last.lineno}: `{last.line}`)" if last else ""


def module_of(node: torch.fx.Node) -> str:
    """Dotted path of the innermost module whose forward calls the node; empty for the network itself."""
    stack = node.meta.get("nn_module_stack") or {}
    path = ""
    for name, _ in stack.values():
        path = name
    return path


def stack_of(node: torch.fx.Node) -> tuple[str, ...]:
    """Dotted paths of the modules whose forward is at work when the node is called, the innermost last."""
    stack = node.meta.get("nn_module_stack") or {}
    return tuple(dict.fromkeys(name.partition("@")[0] for name, _ in stack.values()))


def layer_name(tensor_name: str) -> str:
    """Dotted path of the layer that a weight belongs to; a parameter by itself is its own layer."""
    return tensor_name.removesuffix(".weight")


def weight_name(layer: str, tensors: Container[str]) -> str:
    """Name of the weight of a layer; of a parameter by itself its own.

    Args:
        layer: as `layer_name` gives it.
        tensors: names in the `state_dict`.
    """
    name = f"{layer}.weight"
    return name if name in tensors else layer


def arguments_of(node: torch.fx.Node) -> dict[str, Any]:
    """All arguments of a call by their schema names, defaults filled in."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return {str(index): value for index, value in enumerate(node.args)} | dict(node.kwargs)
    schema = target._schema.arguments
    bound = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    bound.update({argument.name: value for argument, value in zip(schema, node.args, strict=False)})
    bound.update(node.kwargs)
    return bound
