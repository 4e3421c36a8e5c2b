"""Rules of products of two tensors, and of attention, which consists of them.

A product of two activations sums over channels that no weight masks afterwards. It is followed only where a removed
channel is zero in one of the factors; then leaving it out changes nothing. Sums over anything else are unsupported.
Such channels cannot be mixed into fewer: both factors would be means, and nothing the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from workers.channels.layer_rules import contract, count_places, produce
from workers.channels.layout import Labels
from workers.channels.operators import (
    Book,
    OperatorCall,
    Traced,
    Unsupported,
    axis_number,
    is_labelled,
    meet,
    rule,
    sum_over,
)


@rule("softmax")
def softmax(book: Book, call: OperatorCall) -> Traced:
    """Labels pass; the axis that sums to 1 may have none."""
    source = call.tensor("self", "input")
    if is_labelled(source.axes[axis_number(int(call.arguments["dim"]), len(source.axes))]):
        raise Unsupported("normalises over channels")
    return Traced(axes=source.axes)


@rule("matmul", "bmm", "mm")
def matrix_product(book: Book, call: OperatorCall) -> Traced:
    """Matrix product over the last two axes, the others broadcast; the right factor may be a parameter."""
    left, right = call.tensor("self"), call.tensor("other", "mat2")
    if min(len(left.axes), len(right.axes)) < 2 or call.shape is None:
        raise Unsupported("a product with a vector")
    if right.tensor is not None and len(right.axes) == 2:
        produce(book, right, 1)
        contract(book, call, right, 0, left.axes[-1])
        count_places(book, right, left, len(left.axes) - 1)
        return Traced(axes=(*left.axes[:-1], right.axes[1]), zero=not any(map(is_labelled, left.axes[:-1])))
    batch = list(range(len(call.shape) - 2))
    letters = [[*batch[len(batch) - len(each.axes) + 2 :], *last] for each, last in ((left, "ik"), (right, "kj"))]
    return _product(book, call, [left, right], letters, [*batch, "i", "j"])


@rule("baddbmm")
def added_product(book: Book, call: OperatorCall) -> Traced:
    """A batch of matrix products, added to a tensor."""
    left, right, start = call.tensor("batch1"), call.tensor("batch2"), call.tensor("self")
    product = _product(book, call, [left, right], ["bik", "bkj"], "bij")
    return Traced(axes=_with_bias(book, call, product, start))


@rule("einsum")
def einsum(book: Book, call: OperatorCall) -> Traced:
    """A sum of products of two tensors in letters."""
    terms, arrow, result = str(call.arguments["equation"]).replace(" ", "").partition("->")
    operands, letters = call.arguments["tensors"], terms.split(",")
    if not arrow or "." in terms or len(operands) != 2 or any(len(set(term)) < len(term) for term in letters):
        raise Unsupported("an equation with an ellipsis, a diagonal or other than two operands")
    return _product(book, call, operands, letters, result)


@rule("scaled_dot_product_attention")
def attention(book: Book, call: OperatorCall) -> Traced:
    """softmax(scale q k' + mask) v over the last two axes; the default scale depends on the length of q's last one."""
    query, key, value = (call.tensor(name) for name in ("query", "key", "value"))
    if len({len(each.axes) for each in (query, key, value)}) > 1:
        raise Unsupported("queries and keys with other numbers of axes")
    if call.arguments.get("enable_gqa"):
        key, value = (_for_each_query(query, each) for each in (key, value))
    batch = list(range(len(query.axes) - 2))
    book.facts[f"{call.site} scale"] = (float(call.arguments.get("scale") or query.shape[-1] ** -0.5),)
    scores = _product(book, call, [query, key], [[*batch, "l", "e"], [*batch, "s", "e"]], [*batch, "l", "s"])
    bias = call.arguments.get("attn_mask")
    weights = Traced(axes=_with_bias(book, call, scores, bias) if isinstance(bias, Traced) else scores.axes)
    return _product(book, call, [weights, value], [[*batch, "l", "s"], [*batch, "s", "v"]], [*batch, "l", "v"])


def _for_each_query(query: Traced, tensor: Traced) -> Traced:
    """Keys or values whose heads several heads of the queries share, once for each of these."""
    times = query.shape[-3] // tensor.shape[-3]
    return replace(tensor, axes=(*tensor.axes[:-3], np.repeat(tensor.axes[-3], times), *tensor.axes[-2:]))


def _with_bias(book: Book, call: OperatorCall, product: Traced, bias: Traced) -> tuple[Labels, ...]:
    """Labels of a product to which a tensor with as many axes or fewer is added."""
    missing = [()] * (len(product.axes) - len(bias.axes))
    others = [*missing, *((axis,) for axis in bias.axes)]
    return tuple(
        meet(book, call, [labels, *other], labels.size) for labels, other in zip(product.axes, others, strict=True)
    )


def _product(
    book: Book,
    call: OperatorCall,
    operands: Sequence[Traced],
    letters: Sequence[Sequence[str | int]],
    result: Sequence[str | int],
) -> Traced:
    """The sum over all letters that the result lacks of the product of the operands."""
    met: dict[str | int, Labels] = {}
    for letter in {each: None for term in letters for each in term}:
        axes = [
            operand.axes[term.index(letter)] for operand, term in zip(operands, letters, strict=True) if letter in term
        ]
        met[letter] = meet(book, call, axes, max(len(axis) for axis in axes))
    summed = [labels for letter, labels in met.items() if letter not in result]
    if any(is_labelled(labels) for labels in summed):
        if any(operand.stored for operand in operands):
            raise Unsupported("sums over channels with a weight that is computed, not a parameter")
        if book.overwritten or not any(operand.zero for operand in operands):
            raise Unsupported("sums over channels that need not be zero when their weights are")
    sum_over(book, call, summed)
    return Traced(axes=tuple(met[letter] for letter in result), zero=all(operand.zero for operand in operands))
