"""Rules of operators that treat every channel alike: element by element, or over space only.

The lists are explicit. An operator stands here only if a channel of zeros stays finite (so that masking equals
removal): no logarithm, no division by a labelled tensor. Refuses to guess: what is not listed has no rule.
"""

from __future__ import annotations

from workers.channels.layout import Labels
from workers.channels.operators import (
    Book,
    Call,
    Traced,
    Unsupported,
    Value,
    axis_number,
    is_labelled,
    rule,
    unlabelled,
)


@rule(
    *("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardtanh", "hardswish"),
    *("hardsigmoid", "sigmoid", "log_sigmoid", "tanh", "softplus", "softsign", "rrelu", "threshold", "hardshrink"),
    *("abs", "neg", "exp", "square", "sign", "sin", "cos", "erf", "clamp", "clamp_min", "clamp_max"),
    *("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"),
    *("alias", "clone", "contiguous", "detach", "to", "_to_copy", "lift_fresh", "lift_fresh_copy", "type_as"),
    *("zeros_like", "ones_like"),
)
def unary(book: Book, call: Call) -> Traced:
    """Labels pass; a second tensor among the arguments (a bound to clamp to) may have none."""
    source = call.tensor("self", "input")
    others = [value for value in call.arguments.values() if isinstance(value, Traced) and value is not source]
    if any(other.labelled for other in others):
        raise Unsupported("a second argument with channels")
    return Traced(axes=source.axes)


@rule("add", "sub", "rsub", "mul", "maximum", "minimum")
def binary(book: Book, call: Call) -> Traced:
    """Axes that meet are joined index by index; an axis of size 1 that is spread over a longer one has to stay."""
    operands = [value for value in call.arguments.values() if isinstance(value, Traced)]
    if call.shape is None:
        raise Unsupported("a result that is not one tensor")
    axes = []
    for distance in range(len(call.shape), 0, -1):
        size = call.shape[-distance]
        labels: Labels | None = None
        for operand in operands:
            if distance > len(operand.axes):
                continue
            axis = operand.axes[-distance]
            if len(axis) != size:
                book.atoms.fix(axis, call.obstacle("one channel is spread over several"))
            elif labels is None:
                labels = axis
            else:
                obstacle = call.obstacle("its channels meet an axis that is not made of channels")
                labels = book.atoms.join(labels, axis, obstacle)
        axes.append(unlabelled(size) if labels is None else labels)
    return Traced(axes=tuple(axes))


@rule("div")
def division(book: Book, call: Call) -> Traced:
    """Division by what has no channels; a divisor with channels would be zero in a masked network."""
    divisor = call.arguments["other"]
    if isinstance(divisor, Traced) and divisor.labelled:
        raise Unsupported("division by channels")
    return binary(book, call)


@rule(
    *("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d"),
    *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"),
    *("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_bilinear2d", "upsample_bicubic2d"),
)
def over_space(book: Book, call: Call) -> Traced:
    """Changes the sizes of axes 2 and up, none of which may carry channels."""
    source = call.tensor("self", "input")
    return Traced(axes=_space_resized(source, call.shape))


@rule(
    *("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
    *("max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices"),
)
def over_space_with_indices(book: Book, call: Call) -> Value:
    """The same for pooling that also returns where the maxima were."""
    shapes = call.arguments["result_shapes"]
    axes = _space_resized(call.tensor("self", "input"), shapes[0])
    return [Traced(axes=axes), Traced(axes=axes)]


@rule("mean", "sum", "amax", "amin")
def reduction(book: Book, call: Call) -> Traced:
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
    return Traced(axes=tuple(kept))


def _space_resized(source: Traced, shape: tuple[int, ...] | None) -> tuple[Labels, ...]:
    if shape is None or len(shape) != len(source.axes):
        raise Unsupported("a result of another number of axes")
    if any(is_labelled(axis) for axis in source.axes[2:]):
        raise Unsupported("space carries channels")
    if shape[:2] != source.shape[:2]:
        raise Unsupported("an input without a batch axis")
    return (*source.axes[:2], *(unlabelled(size) for size in shape[2:]))
