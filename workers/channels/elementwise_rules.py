"""Rules of operators that treat every channel alike: element by element, or over space only.

The lists are explicit: an operator that is not listed has no rule. A listed one keeps a channel of zeros finite (so
that masking equals removal): no logarithm, no division by a labelled tensor.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.channels.layout import Labels
from workers.channels.operators import (
    Book,
    OperatorCall,
    Traced,
    Unsupported,
    Value,
    axis_number,
    is_labelled,
    meet,
    rule,
    unlabelled,
)


@rule(
    *("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "tanh", "softsign"),
    *("rrelu", "hardshrink", "softshrink", "abs", "neg", "square", "sign", "sin", "erf"),
    *("dropout", "feature_dropout", "alias", "clone", "contiguous", "detach", "to", "_to_copy"),
    *("lift_fresh", "lift_fresh_copy", "zeros_like"),
)
def zero_keeping(book: Book, call: OperatorCall) -> Traced:
    """Labels pass, and zero stays zero."""
    source = call.tensor("self", "input")
    _no_second_tensor(call, source)
    return Traced(axes=source.axes, zero=source.zero)


@rule("type_as")
def with_type(book: Book, call: OperatorCall) -> Traced:
    """Labels pass; of the second tensor only the type is read."""
    source = call.tensor("self")
    return Traced(axes=source.axes, zero=source.zero)


@rule(
    *("hardtanh", "hardsigmoid", "sigmoid", "log_sigmoid", "softplus", "threshold", "exp", "cos", "ones_like"),
    *("clamp", "clamp_min", "clamp_max", "alpha_dropout", "feature_alpha_dropout", "logical_not", "bitwise_not"),
)
def unary(book: Book, call: OperatorCall) -> Traced:
    """Labels pass; a second tensor among the arguments (a bound to clamp to) may have none."""
    source = call.tensor("self", "input")
    _no_second_tensor(call, source)
    return Traced(axes=source.axes)


def _no_second_tensor(call: OperatorCall, source: Traced) -> None:
    others = [value for value in call.arguments.values() if isinstance(value, Traced) and value is not source]
    if any(other.labelled for other in others):
        raise Unsupported("a second argument with channels")


@rule("add", "sub", "rsub", "maximum", "minimum")
def additive(book: Book, call: OperatorCall) -> Traced:
    """Axes that meet are joined index by index; zero where both operands are."""
    operands = _operands(call)
    zero = len(operands) == 2 and all(operand.zero for operand in operands)
    return Traced(axes=_broadcast(book, call, operands), zero=zero)


@rule("mul")
def product(book: Book, call: OperatorCall) -> Traced:
    """The same; zero where one of the operands is, if that has all of the result's channels."""
    operands = _operands(call)
    axes = _broadcast(book, call, operands)
    labelled = _labelled_axes(Traced(axes=axes))
    return Traced(axes=axes, zero=any(each.zero and labelled <= _labelled_axes(each) for each in operands))


@rule(*("where", "masked_fill", "gt", "ge", "lt", "le", "eq", "ne", "logical_and", "logical_or", "bitwise_and"))
def elementwise(book: Book, call: OperatorCall) -> Traced:
    """Any function of the elements at one position."""
    return Traced(axes=_broadcast(book, call, _operands(call)))


@rule("div")
def division(book: Book, call: OperatorCall) -> Traced:
    """Division by a divisor without channels; a divisor with channels would be zero in a masked network."""
    divisor = call.arguments["other"]
    if isinstance(divisor, Traced) and divisor.labelled:
        raise Unsupported("division by channels")
    return Traced(axes=_broadcast(book, call, _operands(call)), zero=call.tensor("self").zero)


@rule("pow")
def power(book: Book, call: OperatorCall) -> Traced:
    """A positive power, the same for all; others are not finite at zero."""
    source, exponent = call.tensor("self"), call.arguments["exponent"]
    if isinstance(exponent, Traced) or exponent <= 0:
        raise Unsupported("a power that is not a positive number")
    return Traced(axes=source.axes, zero=source.zero)


@rule("rsqrt")
def inverse_root(book: Book, call: OperatorCall) -> Traced:
    """Of stored variances, as in a frozen batch norm, which masking leaves positive; others could be zero."""
    source = call.tensor("self")
    if source.labelled and not source.stored:
        raise Unsupported("an inverse root of channels")
    return Traced(axes=source.axes)


def _operands(call: OperatorCall) -> list[Traced]:
    return [value for value in call.arguments.values() if isinstance(value, Traced)]


def _labelled_axes(tensor: Traced) -> set[int]:
    """Axes with channels, counted from the end, the last one being 1."""
    return {distance for distance in range(1, len(tensor.axes) + 1) if is_labelled(tensor.axes[-distance])}


def _broadcast(book: Book, call: OperatorCall, operands: Sequence[Traced]) -> tuple[Labels, ...]:
    if call.shape is None:
        raise Unsupported("a result that is not one tensor")
    axes = []
    for distance in range(len(call.shape), 0, -1):
        met = [operand.axes[-distance] for operand in operands if distance <= len(operand.axes)]
        axes.append(meet(book, call, met, call.shape[-distance]))
    return tuple(axes)


@rule("new_zeros", "new_ones", "new_full", "new_empty")
def fresh(book: Book, call: OperatorCall) -> Traced:
    """A new tensor that takes only the type from its source."""
    return Traced(axes=tuple(unlabelled(size) for size in call.shape or ()))


@rule(
    *("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d"),
    *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"),
    *("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact2d"),
    *("upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d", "upsample_trilinear3d"),
)
def over_space(book: Book, call: OperatorCall) -> Traced:
    """Changes the sizes of axes 2 and up, none of which may carry channels."""
    source = call.tensor("self", "input")
    return Traced(axes=_space_resized(book, call, source, call.shape), zero=source.zero)


@rule(
    *("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
    *("max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices"),
)
def over_space_with_indices(book: Book, call: OperatorCall) -> Value:
    """The same for pooling that also returns where the maxima were."""
    source = call.tensor("self", "input")
    axes = _space_resized(book, call, source, call.arguments["result_shapes"][0])
    return [Traced(axes=axes, zero=source.zero), Traced(axes=axes)]


@rule("mean", "sum", "amax", "amin", "var", "std", "norm", "linalg_vector_norm")
def reduction(book: Book, call: OperatorCall) -> Traced:
    """Reduces axes without channels."""
    source = call.tensor("self")
    dimensions = len(source.axes)
    given = call.arguments.get("dim")
    if isinstance(given, int):
        given = [given]
    reduced = {axis_number(axis, dimensions) for axis in given} if given else set(range(dimensions))
    if any(is_labelled(source.axes[axis]) for axis in reduced):
        raise Unsupported("reduces over channels")
    keep = bool(call.arguments.get("keepdim", False))
    kept = [
        unlabelled(1) if number in reduced else axis
        for number, axis in enumerate(source.axes)
        if keep or number not in reduced
    ]
    return Traced(axes=tuple(kept), zero=source.zero)


def _space_resized(book: Book, call: OperatorCall, source: Traced, shape: tuple[int, ...] | None) -> tuple[Labels, ...]:
    if shape is None or len(shape) != len(source.axes):
        raise Unsupported("a result of another number of axes")
    if source.stored:  # a table of positions that is resized
        for axis in source.axes[2:]:
            book.atoms.fix(axis, call.obstacle("they are positions, not features"))
    elif any(is_labelled(axis) for axis in source.axes[2:]):
        raise Unsupported("space carries channels")
    if shape[:2] != source.shape[:2]:
        raise Unsupported("an input without a batch axis")
    return (*source.axes[:2], *(unlabelled(size) for size in shape[2:]))
