"""Rules of operators that reduce axes: means, variances, norms, extremes.

Over axes without channels they treat every channel alike. Over channels they are statistics, as in a norm written by
hand: the channels are marked as normalised, as those of torch's own norms are. A sum over channels that are zero where
they are removed is the same without them, and so is the length of a vector. But channels that are summed over cannot be
mixed into fewer; of means and extremes it makes no difference how many equal channels there are.
"""

from __future__ import annotations

import math

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
    sum_over,
    unlabelled,
)

_SUMS = frozenset({"sum", "norm", "linalg_vector_norm"})


@rule("mean", "sum", "amax", "amin", "var", "std", "norm", "linalg_vector_norm", "logsumexp")
def reduction(book: Book, call: OperatorCall) -> Traced:
    """Reduces some axes, or all."""
    return _reduced(book, call)


@rule("var_mean", "std_mean")
def two_moments(book: Book, call: OperatorCall) -> Value:
    """Two statistics of one shape."""
    return [_reduced(book, call)] * 2


@rule("max", "min")
def extreme(book: Book, call: OperatorCall) -> Value:
    """Of two tensors, of all numbers, or along an axis, then with the places where they were."""
    source = call.tensor("self")
    other = call.arguments.get("other")
    if isinstance(other, Traced):
        axes = [
            meet(book, call, [each.axes[-place] for each in (source, other) if place <= len(each.axes)], size)
            for place, size in zip(range(len(call.shape or ()), 0, -1), call.shape or (), strict=True)
        ]
        return Traced(axes=tuple(axes))
    if "dim" not in call.arguments:
        return _reduced(book, call)
    along = source.axes[axis_number(int(call.arguments["dim"]), len(source.axes))]
    if is_labelled(along) and 1 in call.arguments["results_read"]:
        raise Unsupported("numbers its channels")
    values = _reduced(book, call)
    return [values, Traced(axes=values.axes)]


def _reduced(book: Book, call: OperatorCall) -> Traced:
    source = call.tensor("self")
    reduced = _reduced_axes(call, len(source.axes))
    over = [source.axes[axis] for axis in reduced if is_labelled(source.axes[axis])]
    if over and not (_is_sum(call) and source.zero and not book.overwritten):
        book.normalised.extend(over)
    if _counts(call):
        sum_over(book, call, over)
    keep = bool(call.arguments.get("keepdim", False))
    kept: list[Labels] = [
        unlabelled(1) if number in reduced else axis
        for number, axis in enumerate(source.axes)
        if keep or number not in reduced
    ]
    return Traced(axes=tuple(kept), zero=source.zero and _name(call) != "logsumexp")


def _is_sum(call: OperatorCall) -> bool:
    """Whether zeros add nothing: a sum, or a norm of a positive order."""
    return _name(call) in _SUMS and _order(call) > 0


def _counts(call: OperatorCall) -> bool:
    """Whether each of several equal numbers adds to the result: any sum, and any norm but the largest number."""
    return _name(call) == "logsumexp" or (_name(call) in _SUMS and math.isfinite(_order(call)))


def _name(call: OperatorCall) -> str:
    return call.operator.split(".")[1]


def _order(call: OperatorCall) -> float:
    """Of a norm."""
    order = call.arguments.get("ord", call.arguments.get("p"))
    return 2.0 if order is None else float(order)


def _reduced_axes(call: OperatorCall, dimensions: int) -> set[int]:
    given = call.arguments.get("dim")
    if isinstance(given, int):
        given = [given]
    return {axis_number(axis, dimensions) for axis in given} if given else set(range(dimensions))
