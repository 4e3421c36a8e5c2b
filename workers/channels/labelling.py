"""Walks a traced graph and lets the rules label every tensor in it.

Fails closed: the tensors of a call without a rule, or of one that its rule does not support, stay whole. Groups are
formed in `gathering`.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.conv import _ConvNd

from workers.channels import (
    attention_rules,
    elementwise_rules,
    index_rules,
    layer_rules,
    norm_rules,
    reduction_rules,
    shape_rules,
    vision_rules,
)
from workers.channels.atoms import Obstacle
from workers.channels.attributes import ConstantBuffer
from workers.channels.heads import attention_views
from workers.channels.layout import Labels
from workers.channels.numbers_noted import numbers_noted
from workers.channels.operators import (
    RULES,
    Book,
    OperatorCall,
    Sign,
    Traced,
    Unsupported,
    Value,
    is_labelled,
    unlabelled,
)
from workers.channels.origins import AxisOf, Place, SizedAxis, serial_of, sized_axes
from workers.channels.signs import sign_of
from workers.channels.slicing import is_running_variance
from workers.channels.trace import TracedGraph, arguments_of, module_of, stack_of

RULE_MODULES = (
    *(layer_rules, norm_rules, elementwise_rules, reduction_rules, shape_rules, index_rules, attention_rules),
    vision_rules,
)
"""Importing these fills the table of rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """Labels of a network, gathered over one or two of its graphs.

    Attributes:
        book: the records of the rules.
        tensors: labels of every parameter and buffer, by dotted name; of one with several names under each of them.
        constants: the same of buffers that are no part of the state but constant along some axis, with what they are.
        first: first name of a parameter or buffer, by each of its further ones.
        results: labels of every axis of the results of every call, by its site.
        reads: sites of the calls whose results a call reads, by its site.
        stacks: dotted paths of the modules at work at a call, the innermost last, by its site.
        numbers: labels of an axis whose length is a number that a module keeps, by the number's place.
    """

    book: Book = field(default_factory=Book)
    tensors: dict[str, tuple[Labels, ...]] = field(default_factory=dict)
    constants: dict[str, tuple[ConstantBuffer, tuple[Labels, ...]]] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    results: dict[str, tuple[Labels, ...]] = field(default_factory=dict)
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stacks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: dict[Place, Labels] = field(default_factory=dict)


def new_labelling(
    shapes: Mapping[str, tuple[int, ...]],
    aliases: Mapping[str, list[str]],
    kernels: Collection[str],
    constants: Mapping[str, tuple[ConstantBuffer, tuple[int, ...]]],
) -> Labelling:
    """Every index of every parameter and buffer starts as an atom of its own, but for the places in a kernel.

    Args:
        shapes: shapes of all parameters and buffers of a network or of a part of one.
        aliases: what `aliases_of` found in the whole network. A tensor that a part shares with the rest of the network
            stays whole.
        kernels: names of weights of convolutions; all axes of one but the first two are places.
        constants: buffers that are no part of the state, with their shapes; the axes along which one is constant start
            so, too, and their lengths are numbers that follow.
    """
    labelling = Labelling(first={other: first for first, others in aliases.items() for other in others})
    labelling.book.stored = labelling.tensors
    for name, shape in shapes.items():
        known = labelling.tensors.get(labelling.first.get(name, name))
        labelling.tensors[name] = known or tuple(
            unlabelled(size) if axis > 1 and name in kernels else labelling.book.atoms.fresh(size)
            for axis, size in enumerate(shape)
        )
    for first, others in aliases.items():
        names = (first, *others)
        inside = [name for name in names if name in shapes]
        if 0 < len(inside) < len(names):
            reason = f"one tensor has {len(names)} names, not all of them in this part: {', '.join(names)}"
            shared = Traced(axes=labelling.tensors[inside[0]])
            _fix(labelling, shared, Obstacle(operator="shared parameter", where="", reason=reason))
    for name, (constant, shape) in constants.items():
        path, _, own = name.rpartition(".")
        axes = tuple(
            labelling.book.atoms.fresh(size) if axis in constant.axes else unlabelled(size)
            for axis, size in enumerate(shape)
        )
        labelling.constants[name] = constant, axes
        labelling.numbers.update({(path, own, axis): axes[axis] for axis in constant.axes})
    return labelling


def aliases_of(model: nn.Module) -> dict[str, list[str]]:
    """Further names of parameters and buffers, by first name."""
    first: dict[int, str] = {}
    names: dict[str, list[str]] = defaultdict(list)
    for name, tensor in model.state_dict(keep_vars=True).items():
        known = first.setdefault(id(tensor), name)
        if known != name:
            names[known].append(name)
    return names


def kernels_of(model: nn.Module) -> frozenset[str]:
    """Names of the weights of torch's convolutions."""
    layers = (path for path, module in model.named_modules() if isinstance(module, _ConvNd))
    return frozenset(f"{path}.weight".lstrip(".") for path in layers)


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
    labelling.book.heads.update(f"{prefix}{node.name}" for node in attention_views(traced.graph))
    values: dict[fx.Node, Value | None] = {}
    sites: dict[int | None, str] = {}
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            values[node] = _placeholder(labelling, traced, node)
        elif node.op == "output":
            for tensor in _tensors(_resolve(node.args, values)):
                _fix(labelling, tensor, outputs)
        else:
            lengths = _lengths(labelling, node, sites)
            values[node] = _call(labelling, node, values, prefix, {place: each[1] for place, each in lengths.items()})
            site = f"{prefix}{node.name}"
            labelling.results[site] = tuple(axis for tensor in _tensors(values[node]) for axis in tensor.axes)
            labelling.stacks[site] = stack_of(node)
            sources = (f"{prefix}{source.name}" for source in node.all_input_nodes)
            labelling.reads[site] = tuple(source for source in sources if source in labelling.results)
            sites[serial_of(node)] = site
            _couple(labelling, list(_tensors(values[node])), lengths)


_COUPLED = Obstacle(operator="view", where="", reason="shares its width with channels that have to stay")


def _lengths(
    labelling: Labelling, node: fx.Node, sites: Mapping[int | None, str]
) -> dict[tuple[int, int], tuple[SizedAxis, Labels | None]]:
    """Where the lengths of axes of a call's results are from, and the labels there, by the result and its axis."""
    lengths = {}
    for sized in sized_axes(node):
        labels = labelling.numbers.get(sized.origin) if isinstance(sized.origin, tuple) else None
        if isinstance(sized.origin, AxisOf):
            axes = labelling.results.get(sites.get(sized.origin.serial, ""), ())
            labels = axes[sized.origin.axis] if sized.origin.axis < len(axes) else None
        lengths[sized.part, sized.axis] = sized, labels
    return lengths


def _couple(
    labelling: Labelling,
    results: Sequence[Traced],
    lengths: Mapping[tuple[int, int], tuple[SizedAxis, Labels | None]],
) -> None:
    """Joins the channels of axes whose lengths the code takes from one place."""
    for (part, axis), (sized, other) in lengths.items():
        if part >= len(results) or axis >= len(results[part].axes) or sized.bound == "start":
            continue
        labels = results[part].axes[axis][:: sized.each]
        if sized.bound and not is_labelled(labels):
            continue
        if isinstance(sized.origin, tuple):
            labelling.numbers.setdefault(sized.origin, labels)
        if other is not None and labels.size == other.size and (labels >= 0).all() and (other >= 0).all():
            labelling.book.atoms.join(labels, other, _COUPLED)


def unread_tensors(traced: TracedGraph) -> set[str]:
    """Parameters and buffers that the graph never uses."""
    nodes = [node for node in traced.graph.nodes if node.op == "placeholder" and not node.users]
    return {traced.tensors[node.name] for node in nodes if node.name in traced.tensors}


def _placeholder(labelling: Labelling, traced: TracedGraph, node: fx.Node) -> Value | None:
    name = traced.tensors.get(node.name)
    if name in labelling.constants:
        return _constant(*labelling.constants[name])
    if name is None or name not in labelling.tensors:
        return _unlabelled_like(node.meta.get("val"))
    name, axes = labelling.first.get(name, name), labelling.tensors[name]
    ones = name in labelling.book.divisors or is_running_variance(name)
    return Traced(
        axes=axes,
        tensor=name,
        stored=True,
        zero=not ones,
        sign=Sign.POSITIVE if ones else Sign.NOT_NEGATIVE,
        origins=frozenset({name} if axes else ()),
    )


def _constant(constant: ConstantBuffer, axes: tuple[Labels, ...]) -> Traced:
    sign = Sign.POSITIVE if constant.least > 0 else Sign.NOT_NEGATIVE if constant.least == 0 else Sign.ANY
    return Traced(axes=axes, stored=True, zero=constant.least == constant.most == 0, sign=sign)


def _call(
    labelling: Labelling,
    node: fx.Node,
    values: Mapping[fx.Node, Value | None],
    prefix: str,
    lengths: Mapping[tuple[int, int], Labels | None],
) -> Value | None:
    arguments = {name: _resolve(value, values) for name, value in arguments_of(node).items()}
    if node.target is operator.getitem:
        parts, index = arguments["0"], arguments["1"]
        if isinstance(parts, list) and isinstance(index, int):
            return parts[index] if isinstance(parts[index], Traced) else None
    shapes = _shapes(node.meta.get("val"))
    if isinstance(shapes, list):
        arguments["result_shapes"] = shapes
        arguments["results_read"] = {
            user.args[1] for user in node.users if user.target is operator.getitem and user.users
        }
    shape = shapes if isinstance(shapes, tuple) else None
    site = f"{prefix}{node.name}"
    call = OperatorCall(
        operator=str(node.target),
        where=module_of(node),
        site=site,
        arguments=arguments,
        shape=shape,
        sized=sized_axes(node),
        lengths={axis: labels for (part, axis), labels in lengths.items() if part == 0 and labels is not None},
    )
    touched = list(_tensors(arguments))
    _note_numbers(labelling.book, node, call)
    if not all(tensor.stored for tensor in touched):
        for name in frozenset[str]().union(*(tensor.origins for tensor in touched)):
            labelling.book.met[name].add(site)
    reason = "no rule for this operator"
    function = RULES.get(_rule_name(node))
    if function is not None:
        try:
            result = function(labelling.book, call)
        except Unsupported as unsupported:
            reason = str(unsupported)
        else:
            return _settled(labelling.book, node, call, result)
    for tensor in touched:
        _fix(labelling, tensor, call.obstacle(reason))
    return _unlabelled_like(node.meta.get("val"))


_NUMBERS = frozenset({"other", "value", "fill_value", "alpha", "beta", "exponent", "scale", "min", "max", "s"})
"""Arguments whose numbers are computed with; integers elsewhere are sizes and positions."""


def _note_numbers(book: Book, node: fx.Node, call: OperatorCall) -> None:
    given = (
        float(value)
        for name, value in call.arguments.items()
        if isinstance(value, float) or (isinstance(value, int) and name in _NUMBERS)
    )
    if numbers := (*given, *numbers_noted(node)):
        book.facts[call.site] = numbers


_MOMENTS = {"var_mean": ("var", "mean"), "std_mean": ("std", "mean")}
"""What each of an operator's two results is."""


def _settled(book: Book, node: fx.Node, call: OperatorCall, result: Value) -> Value:
    """The result, with the flags that follow from all arguments."""
    if isinstance(result, list):
        names = _MOMENTS.get(_rule_name(node), (_rule_name(node),) * len(result))
        return [_settled_one(name, call, part) for name, part in zip(names, result, strict=True)]
    if str(node.target).split(".")[1].endswith("_") and result.labelled and not result.zero:
        book.overwritten = True
    return _settled_one(_rule_name(node), call, result)


def _settled_one(name: str, call: OperatorCall, result: Traced) -> Traced:
    touched = list(_tensors(call.arguments))
    stored = bool(touched) and all(tensor.stored for tensor in touched)
    origins = frozenset[str]().union(*(tensor.origins for tensor in touched)) if stored else frozenset[str]()
    return replace(result, stored=stored, sign=sign_of(name, call, result), origins=origins)


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


def sizes_in(traced: TracedGraph, prefix: str = "") -> dict[str, tuple[int, ...]]:
    """Sizes of the axes of a call's results, one after the other, by its site."""
    calls = (node for node in traced.graph.nodes if node.op not in ("placeholder", "output"))
    return {f"{prefix}{node.name}": _sizes(_shapes(node.meta.get("val"))) for node in calls}


def _sizes(shapes: tuple[int, ...] | list[tuple[int, ...]] | None) -> tuple[int, ...]:
    each = shapes if isinstance(shapes, list) else [shapes or ()]
    return tuple(size for shape in each for size in shape)


def _unlabelled_like(value: Any) -> Value | None:
    shapes = _shapes(value)
    if isinstance(shapes, tuple):
        return Traced(axes=tuple(unlabelled(size) for size in shapes))
    if isinstance(shapes, list):
        return [Traced(axes=tuple(unlabelled(size) for size in shape)) for shape in shapes]
    return None
