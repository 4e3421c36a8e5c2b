"""Which numbers are surely positive, so that one may divide by them where a mask has removed a channel.

Says something only about the entries of removed channels: there a parameter or buffer is zero, or one if the network
divides by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from workers.channels.layout import Labels
from workers.channels.operators import OperatorCall, Sign, Traced, covers

_KEEPING = frozenset(
    (
        *("alias", "clone", "contiguous", "detach", "to", "_to_copy", "type_as", "lift_fresh", "lift_fresh_copy"),
        *("view", "reshape", "_unsafe_view", "flatten", "unflatten", "permute", "transpose", "swapaxes", "movedim"),
        *("moveaxis", "t", "unsqueeze", "squeeze", "expand", "expand_as", "repeat", "slice", "narrow", "select"),
        *("mean", "sum", "amax", "amin", "sqrt", "rsqrt", "reciprocal", "max_pool2d", "avg_pool2d"),
        *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "upsample_nearest2d"),
    )
)
_ALWAYS_POSITIVE = frozenset({"exp", "sigmoid", "softplus", "ones_like"})
_NEVER_NEGATIVE = frozenset(
    {"relu", "relu6", "abs", "square", "var", "std", "norm", "linalg_vector_norm", "hardsigmoid", "zeros_like"}
)
_CLAMPS = frozenset({"clamp", "clamp_min"})


def sign_of(name: str, call: OperatorCall, result: Traced) -> Sign:
    """The sign of an operator's result.

    Args:
        name: of the operator's rule.
        call: the call.
        result: what the rule returned.
    """
    if name in _ALWAYS_POSITIVE:
        return Sign.POSITIVE
    if name in ("add", "mul", "div", "maximum"):
        return _of_two(name, call, result)
    source = call.arguments.get("self", call.arguments.get("input"))
    if not isinstance(source, Traced):
        return Sign.ANY
    if name in _KEEPING:
        return source.sign
    if name in _NEVER_NEGATIVE:
        kept = source.sign if name in ("relu", "abs", "square") else Sign.ANY
        return max(kept, Sign.NOT_NEGATIVE)
    if name in _CLAMPS and call.arguments.get("max") is None:
        return max(source.sign, _of_number(call.arguments.get("min")))
    if name == "pow":
        return _of_power(source.sign, call.arguments["exponent"])
    return Sign.ANY


def _of_two(name: str, call: OperatorCall, result: Traced) -> Sign:
    left, right = call.arguments["self"], call.arguments["other"]
    if name == "mul" and left is right:
        return max(call.tensor("self").sign, Sign.NOT_NEGATIVE)
    scale = call.arguments.get("alpha", 1)
    if call.arguments.get("rounding_mode") or _of_number(scale) is not Sign.POSITIVE:
        return Sign.ANY
    signs = [_of_operand(each, result.axes) for each in (left, right)]
    if name == "maximum":
        return max(signs)
    if min(signs) is Sign.ANY:
        return Sign.ANY
    if name == "add":
        return max(signs)
    if name == "div" and signs[1] is not Sign.POSITIVE:
        return Sign.ANY
    return min(signs)


def _of_operand(value: object, axes: Sequence[Labels]) -> Sign:
    """The sign of an operand; it is known only where the operand has all of the result's channels."""
    if isinstance(value, Traced):
        return value.sign if covers(value, axes) else Sign.ANY
    return _of_number(value)


def _of_number(value: object) -> Sign:
    if not isinstance(value, int | float) or math.isnan(value) or value < 0:
        return Sign.ANY
    return Sign.POSITIVE if value > 0 else Sign.NOT_NEGATIVE


def _of_power(sign: Sign, exponent: object) -> Sign:
    if not isinstance(exponent, int | float):
        return Sign.ANY
    if sign is Sign.POSITIVE:
        return Sign.POSITIVE
    if exponent > 0 and (sign is Sign.NOT_NEGATIVE or exponent % 2 == 0):
        return Sign.NOT_NEGATIVE
    return Sign.ANY
