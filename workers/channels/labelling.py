"""Walks a traced graph and lets the rules label every tensor in it.

Fails closed: the tensors of a call without a rule, or of one that its rule does not support, stay whole. Groups are
formed in `gathering`.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx

from workers.channels import (
    attention_rules,
    elementwise_rules,
    index_rules,
    layer_rules,
    norm_rules,
    shape_rules,
    vision_rules,
)
from workers.channels.atoms import Obstacle
from workers.channels.layout import Labels
from workers.channels.operators import RULES, Book, OperatorCall, Traced, Unsupported, Value, unlabelled
from workers.channels.trace import TracedGraph, arguments_of, module_of

RULE_MODULES = (layer_rules, norm_rules, elementwise_rules, shape_rules, index_rules, attention_rules, vision_rules)
"""Importing these fills the table of rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """Labels of a network, gathered over one or two of its graphs.

    Attributes:
        book: the records of the rules.
        tensors: labels of every parameter and buffer, by dotted name.
        results: labels of every axis of the results of every call, by its site.
    """

    book: Book = field(default_factory=Book)
    tensors: dict[str, tuple[Labels, ...]] = field(default_factory=dict)
    results: dict[str, tuple[Labels, ...]] = field(default_factory=dict)


def new_labelling(shapes: Mapping[str, tuple[int, ...]]) -> Labelling:
    """Every index of every parameter and buffer starts as an atom of its own."""
    labelling = Labelling()
    for name, shape in shapes.items():
        labelling.tensors[name] = tuple(labelling.book.atoms.fresh(size) for size in shape)
    return labelling


OUTPUT = Obstacle(operator="output", where="", reason="the network's output", quiet=True)
"""Why the channels of a network's outputs have to stay."""


def label(labelling: Labelling, traced: TracedGraph, prefix: str = "", *, outputs: Obstacle = OUTPUT) -> None:
    """Adds the labels of one graph.

    Args:
        labelling: the labels so far; changed.
        traced: the graph.
        prefix: distinguishes the calls of two graphs.
        outputs: why the channels of the graph's outputs have to stay.
    """
    values: dict[fx.Node, Value | None] = {}
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            values[node] = _placeholder(labelling, traced, node)
        elif node.op == "output":
            for tensor in _tensors(_resolve(node.args, values)):
                _fix(labelling, tensor, outputs)
        else:
            values[node] = _call(labelling, node, values, prefix)
            labelling.results[f"{prefix}{node.name}"] = tuple(
                axis for tensor in _tensors(values[node]) for axis in tensor.axes
            )
    _fix_shared(labelling, traced)


def unread_tensors(traced: TracedGraph) -> set[str]:
    """Parameters and buffers that the graph never uses."""
    nodes = [node for node in traced.graph.nodes if node.op == "placeholder" and not node.users]
    return {traced.tensors[node.name] for node in nodes if node.name in traced.tensors}


def _placeholder(labelling: Labelling, traced: TracedGraph, node: fx.Node) -> Value | None:
    name = traced.tensors.get(node.name)
    if name is not None and name in labelling.tensors:
        return Traced(axes=labelling.tensors[name], tensor=name, stored=True, zero=True)
    return _unlabelled_like(node.meta.get("val"))


def _call(labelling: Labelling, node: fx.Node, values: Mapping[fx.Node, Value | None], prefix: str) -> Value | None:
    arguments = {name: _resolve(value, values) for name, value in arguments_of(node).items()}
    if node.target is operator.getitem:
        parts, index = arguments["0"], arguments["1"]
        if isinstance(parts, list) and isinstance(index, int):
            return parts[index] if isinstance(parts[index], Traced) else None
    shapes = _shapes(node.meta.get("val"))
    if isinstance(shapes, list):
        arguments["result_shapes"] = shapes
    shape = shapes if isinstance(shapes, tuple) else None
    site = f"{prefix}{node.name}"
    call = OperatorCall(operator=str(node.target), where=module_of(node), site=site, arguments=arguments, shape=shape)
    touched = list(_tensors(arguments))
    _note_numbers(labelling.book, call)
    reason = "no rule for this operator"
    function = RULES.get(_rule_name(node))
    if function is not None:
        try:
            result = function(labelling.book, call)
        except Unsupported as unsupported:
            reason = str(unsupported)
        else:
            return _settled(labelling.book, node, touched, result)
    for tensor in touched:
        _fix(labelling, tensor, call.obstacle(reason))
    return _unlabelled_like(node.meta.get("val"))


_NUMBERS = frozenset({"other", "value", "fill_value", "alpha", "beta", "exponent", "scale", "min", "max"})
"""Arguments whose numbers are computed with; integers elsewhere are sizes and positions."""


def _note_numbers(book: Book, call: OperatorCall) -> None:
    numbers = tuple(
        float(value)
        for name, value in call.arguments.items()
        if isinstance(value, float) or (isinstance(value, int) and name in _NUMBERS)
    )
    if numbers:
        book.facts[call.site] = numbers


def _settled(book: Book, node: fx.Node, touched: list[Traced], result: Value) -> Value:
    """The result, with the flags that follow from all arguments."""
    if isinstance(result, list):
        return [_settled_one(touched, part) for part in result]
    if str(node.target).split(".")[1].endswith("_") and result.labelled and not result.zero:
        book.overwritten = True
    return _settled_one(touched, result)


def _settled_one(touched: list[Traced], result: Traced) -> Traced:
    return replace(result, stored=bool(touched) and all(tensor.stored for tensor in touched))


def _rule_name(node: fx.Node) -> str:
    if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace not in ("aten", "torchvision"):
        return ""
    name = node.target._schema.name.split("::")[1]
    return name if name in RULES else name.removesuffix("_")


def _resolve(value: Any, values: Mapping[fx.Node, Value | None]) -> Any:
    if isinstance(value, fx.Node):
        return values[value]
    if isinstance(value, Mapping):
        return {key: _resolve(part, values) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_resolve(part, values) for part in value]
    return value


def _tensors(value: Any) -> Iterator[Traced]:
    if isinstance(value, Traced):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)


def _fix(labelling: Labelling, tensor: Traced, obstacle: Obstacle) -> None:
    for axis in tensor.axes:
        labelling.book.atoms.fix(axis, obstacle)


def _fix_shared(labelling: Labelling, traced: TracedGraph) -> None:
    """A parameter that two calls use stays whole, and so does everything coupled with it."""
    for node in traced.graph.nodes:
        name = traced.tensors.get(node.name) if node.op == "placeholder" else None
        if name in labelling.tensors and len(node.users) > 1 and node.meta["val"].ndim:
            tensor = Traced(axes=labelling.tensors[name], tensor=name)
            reason = f"{name} is used by {len(node.users)} operators"
            _fix(labelling, tensor, Obstacle(operator="shared parameter", where="", reason=reason))


def fix_aliases(labelling: Labelling, names: Mapping[str, list[str]]) -> None:
    """A parameter or buffer with several names stays whole, and so does everything coupled with it."""
    counts = Counter({first: 1 + len(others) for first, others in names.items()})
    for first, count in counts.items():
        for name in (first, *names[first]):
            if count > 1 and name in labelling.tensors:
                reason = f"one tensor has {count} names: {', '.join((first, *names[first]))}"
                tensor = Traced(axes=labelling.tensors[name], tensor=name)
                _fix(labelling, tensor, Obstacle(operator="shared parameter", where="", reason=reason))


UNKNOWN = 101
"""Stands for a size that depends on numbers, such as how many boxes are left: a prime, so that no width divides it."""


def _size(size: int | torch.SymInt) -> int:
    """A size as a number; one that is only known when the network runs is computed with `UNKNOWN`."""
    if isinstance(size, int):
        return size
    expression = size.node.expr
    return int(expression.subs(dict.fromkeys(expression.free_symbols, UNKNOWN)))


def _shapes(value: Any) -> tuple[int, ...] | list[tuple[int, ...]] | None:
    if isinstance(value, Tensor):
        return tuple(map(_size, value.shape))
    if isinstance(value, (list, tuple)):
        return [tuple(map(_size, part.shape)) for part in value if isinstance(part, Tensor)]
    return None


def _unlabelled_like(value: Any) -> Value | None:
    shapes = _shapes(value)
    if isinstance(shapes, tuple):
        return Traced(axes=tuple(unlabelled(size) for size in shapes))
    if isinstance(shapes, list):
        return [Traced(axes=tuple(unlabelled(size) for size in shape)) for shape in shapes]
    return None
