"""Traces a module to a graph of operators, without running or changing it.

The network is copied to the meta device (shapes, no numbers) and traced there with `torch.export`.

The copy has no forward hooks, so that observers do not get meta tensors. A hook that *changes* an output is ignored.
"""

from __future__ import annotations

import copy
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.graph_signature import InputKind

BATCH = 2
"""Batch size of the example: 1 would be treated as a constant, and batch norm needs at least 2 to train."""

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedGraph:
    """A graph of `aten` operators.

    Attributes:
        graph: nodes in order of execution; every node's `meta["val"]` has the shape of its result.
        tensors: dotted name of the parameter or buffer of a placeholder, by the placeholder's name.
    """

    graph: torch.fx.Graph
    tensors: Mapping[str, str]


def meta_copy(model: nn.Module) -> nn.Module:
    """A copy on the meta device, without forward hooks; no number is copied and the original stays as it is."""
    memo: dict[int, Any] = {}
    for module in model.modules():
        values = [*module._parameters.values(), *module._buffers.values(), *vars(module).values()]
        for value in values:
            if isinstance(value, Tensor) and id(value) not in memo:
                memo[id(value)] = _meta(value)
        for attribute in _HOOKS:
            memo[id(getattr(module, attribute))] = OrderedDict()
    return copy.deepcopy(model, memo)


def _meta(tensor: Tensor) -> Tensor:
    empty = torch.empty_like(tensor, device="meta", requires_grad=False)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty


def trace(meta_model: nn.Module, input_shape: tuple[int, ...], *, training: bool = False) -> TracedGraph:
    """Traces a network that lives on the meta device; sets its train/eval mode.

    Args:
        meta_model: what `meta_copy` returned.
        input_shape: shape of one sample, without the batch, such as (3, 32, 32).
        training: trace the training pass (auxiliary heads and all) instead of the evaluation pass.

    Raises:
        ValueError: the network cannot be traced; the exporter's error is the cause.
    """
    meta_model.train(training)
    example = _example(meta_model, input_shape)
    logger = logging.getLogger("torch._subclasses.fake_tensor")  # prints a stack for an error that is re-raised here
    silent, logger.disabled = logger.disabled, True
    try:
        program = torch.export.export(meta_model, (example,), strict=False)
    except Exception as error:  # the exporter raises whatever the network's own code raises
        raise _failure(meta_model, "traced", input_shape, error) from error
    finally:
        logger.disabled = silent
    tensors = {
        spec.arg.name: str(spec.target)
        for spec in program.graph_signature.input_specs
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER)
    }
    return TracedGraph(graph=program.graph, tensors=tensors)


def run(meta_model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Runs the evaluation pass of a network on the meta device: shapes have to fit, nothing is computed.

    Args:
        meta_model: what `meta_copy` returned; put into eval mode.
        input_shape: shape of one sample.

    Raises:
        ValueError: the network raised; its error is the cause.
    """
    meta_model.eval()
    try:
        with torch.no_grad():
            meta_model(_example(meta_model, input_shape))
    except Exception as error:  # whatever the network's own code raises
        raise _failure(meta_model, "run", input_shape, error) from error


def _example(meta_model: nn.Module, input_shape: tuple[int, ...]) -> Tensor:
    dtype = next((p.dtype for p in meta_model.parameters() if p.is_floating_point()), torch.get_default_dtype())
    return torch.empty(BATCH, *input_shape, device="meta", dtype=dtype)


def _failure(meta_model: nn.Module, verb: str, input_shape: tuple[int, ...], error: Exception) -> ValueError:
    message = str(error).strip().splitlines()
    return ValueError(
        f"{type(meta_model).__name__} cannot be {verb} on an input of shape {(BATCH, *input_shape)}: "
        f"{type(error).__name__}: {message[0] if message else ''}"
    )


def module_of(node: torch.fx.Node) -> str:
    """Dotted path of the innermost module whose forward calls the node; empty for the network itself."""
    stack = node.meta.get("nn_module_stack") or {}
    path = ""
    for name, _ in stack.values():
        path = name
    return path


def layer_name(tensor_name: str) -> str:
    """Dotted path of the layer that a weight belongs to; a parameter by itself is its own layer."""
    return tensor_name.removesuffix(".weight")


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
