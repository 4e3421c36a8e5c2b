"""Rules of operators that treat every channel alike: element by element, or over space only.

The lists are explicit: an operator that is not listed has no rule. A listed one keeps a channel of zeros finite (so
that masking equals removal): no logarithm, no division by what may be zero there.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.channels.layout import Labels
from workers.channels.operators import (
    Book,
    OperatorCall,
    Sign,
    Traced,
    Unsupported,
    Value,
    covers,
    is_labelled,
    meet,
    rule,
    unlabelled,
)


@rule(
    *("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "tanh", "softsign"),
    *("rrelu", "hardshrink", "softshrink", "abs", "neg", "square", "sqrt", "sign", "sin", "erf"),
    *("dropout", "feature_dropout", "alias", "clone", "contiguous", "detach", "to", "_to_copy"),
    *("lift_fresh", "lift_fresh_copy", "zeros_like"),
)
def zero_keeping(book: Book, call: OperatorCall) -> Traced:
    """Labels pass, and zero stays zero."""
    source = call.tensor("self", "input")
    _no_second_tensor(call, source)
    return Traced(axes=source.axes, zero=source.zero)


@rule("zero")
def zeros(book: Book, call: OperatorCall) -> Traced:
    """Labels pass, and everything is zero."""
    return Traced(axes=call.tensor("self").axes, zero=True)


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
    axes = _broadcast(book, call, operands)
    zero = len(operands) == 2 and all(operand.zero and covers(operand, axes) for operand in operands)
    return Traced(axes=axes, zero=zero)


@rule("mul")
def product(book: Book, call: OperatorCall) -> Traced:
    """The same; zero where one of the operands is, if that has all of the result's channels."""
    operands = _operands(call)
    axes = _broadcast(book, call, operands)
    return Traced(axes=axes, zero=any(operand.zero and covers(operand, axes) for operand in operands))


@rule(*("where", "masked_fill", "gt", "ge", "lt", "le", "eq", "ne", "logical_and", "logical_or", "bitwise_and"))
def elementwise(book: Book, call: OperatorCall) -> Traced:
    """Any function of the elements at one position."""
    return Traced(axes=_broadcast(book, call, _operands(call)))


@rule("div")
def division(book: Book, call: OperatorCall) -> Traced:
    """Division by a divisor that is not zero where a channel is removed."""
    if isinstance(call.arguments["other"], Traced):
        _divisor(book, call.arguments["other"])
    axes = _broadcast(book, call, _operands(call))
    return Traced(axes=axes, zero=call.tensor("self").zero and covers(call.tensor("self"), axes))


@rule("addcmul")
def added_product_of_elements(book: Book, call: OperatorCall) -> Traced:
    """A tensor plus the product of two others, element by element."""
    start, *factors = (call.tensor(name) for name in ("self", "tensor1", "tensor2"))
    axes = _broadcast(book, call, [start, *factors])
    zeros = [operand.zero and covers(operand, axes) for operand in (start, *factors)]
    return Traced(axes=axes, zero=zeros[0] and any(zeros[1:]))


@rule("pow")
def power(book: Book, call: OperatorCall) -> Traced:
    """One power for all; one that is not positive only of what is not zero where a channel is removed."""
    source, exponent = call.tensor("self"), call.arguments["exponent"]
    if isinstance(exponent, Traced):
        raise Unsupported("a power that is not one number")
    if exponent <= 0:
        _divisor(book, source)
    return Traced(axes=source.axes, zero=source.zero and exponent > 0)


@rule("rsqrt", "reciprocal")
def inverse(book: Book, call: OperatorCall) -> Traced:
    """Of what is not zero where a channel is removed, such as variances and an epsilon, or those of a frozen norm."""
    source = call.tensor("self")
    _divisor(book, source)
    return Traced(axes=source.axes)


def _divisor(book: Book, divisor: Traced) -> None:
    """Notes stored tensors that are divided by; raises where a divisor may be zero where a channel is removed."""
    if not divisor.labelled or divisor.sign is Sign.POSITIVE:
        return
    if divisor.origins <= book.divisors:
        raise Unsupported("divides by channels that may be zero where they are removed")
    book.divisors.update(divisor.origins)


def _operands(call: OperatorCall) -> list[Traced]:
    return [value for value in call.arguments.values() if isinstance(value, Traced)]


def _broadcast(book: Book, call: OperatorCall, operands: Sequence[Traced]) -> tuple[Labels, ...]:
    if call.shape is None:
        raise Unsupported("a result that is not one tensor")
    axes = []
    whole_first = sorted(operands, key=lambda operand: operand.shape != call.shape)  # the result keeps its labels
    for distance in range(len(call.shape), 0, -1):
        met = [operand.axes[-distance] for operand in whole_first if distance <= len(operand.axes)]
        axes.append(meet(book, call, met, call.shape[-distance]))
    return tuple(axes)


@rule("_assert_tensor_metadata")
def check(book: Book, call: OperatorCall) -> Value:
    """Before a change of type, the tracer notes what type it was; there is no result."""
    return []


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
