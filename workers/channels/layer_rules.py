"""Rules of convolutions, linear layers and PReLU.

A grouped convolution splits its channels into blocks: all inputs and all outputs of one group are one unit. A layer is
identified by the name of its weight, not by its module. A weight that is computed from one parameter of its shape, such
as a standardised one, is that parameter here, if it has no inputs where the parameter has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from workers.channels.layout import Labels
from workers.channels.operators import (
    NO_CHANNELS,
    Book,
    OperatorCall,
    Traced,
    Unsupported,
    is_labelled,
    only_channels_on,
    rule,
    unlabelled,
)
from workers.channels.trace import BATCH, layer_name

_MIXED = "channels that have to stay share a group of a convolution with others"


@rule("conv1d", "conv2d", "conv3d")
def convolution(book: Book, call: OperatorCall) -> Traced:
    """Input channels are contracted, output channels are new; in groups, both are one unit per group."""
    return plain_convolution(book, call)


def plain_convolution(book: Book, call: OperatorCall) -> Traced:
    """A convolution of `input` with `weight` in `groups`, and a `bias`."""
    source, weight = call.tensor("input"), _weight(book, call)
    groups = int(call.arguments["groups"])
    if weight.tensor is None and weight.stored and groups > 1 and weight.shape[1] == 1:
        return _fixed_filter(book, call, source, weight)
    outputs = weight.axes[0]
    if groups == 1 or weight.shape[1] > 1:  # a depthwise convolution passes its input's channels on
        produce(book, weight, 0)
    _check(source, weight)
    if groups == 1:
        contract(book, call, weight, 1, source.axes[1])
    else:
        book.facts[f"{call.site} in parts"] = (weight.shape[0] / groups, float(weight.shape[1]))
        _tie_blocks(book, call, groups, source.axes[1], outputs)
    _join_bias(book, call, outputs)
    result = _result(call, source, outputs, zero=weight.zero)
    count_places(book, weight, result, 1)
    return result


def _fixed_filter(book: Book, call: OperatorCall, source: Traced, weight: Traced) -> Traced:
    """A depthwise convolution whose weight is computed from stored numbers, such as a blur: channels pass."""
    only_channels_on(source, 1)
    if len(source.axes) != len(weight.axes):
        raise Unsupported("an input without a batch axis")
    book.facts[f"{call.site} in parts"] = (weight.shape[0] / source.shape[1], 1.0)
    outputs = np.repeat(source.axes[1], weight.shape[0] // source.shape[1])
    if is_labelled(weight.axes[0]):
        book.atoms.join(outputs, weight.axes[0], call.obstacle(NO_CHANNELS))
    _join_bias(book, call, outputs)
    return _result(call, source, outputs, zero=source.zero and call.arguments["bias"] is None)


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed_convolution(book: Book, call: OperatorCall) -> Traced:
    """The same with the weight's first two axes exchanged; in groups, axis 1 counts the outputs of one group."""
    source, weight = call.tensor("input"), _weight(book, call)
    groups = int(call.arguments["groups"])
    if groups == 1:
        produce(book, weight, 1)
        _check(source, weight)
        contract(book, call, weight, 0, source.axes[1])
        outputs = weight.axes[1]
    else:
        _check(source, weight)
        book.facts[f"{call.site} in parts"] = (weight.shape[0] / groups, float(weight.shape[1]))
        units = _tie_blocks(book, call, groups, source.axes[1], weight.axes[0])
        outputs = np.repeat(units, weight.shape[1])
    _join_bias(book, call, outputs)
    count_places(book, weight, source, 1)
    return _result(call, source, outputs, zero=weight.zero)


@rule("linear")
def linear(book: Book, call: OperatorCall) -> Traced:
    """Contracts the last axis; channels on other axes pass. The weight may be some rows of a parameter."""
    source, weight = call.tensor("input"), _weight(book, call)
    produce(book, weight, 0)
    if weight.whole is None:
        raise Unsupported("its weight is computed, not a parameter")
    contract(book, call, weight, 1, source.axes[-1])
    _join_bias(book, call, weight.axes[0])
    count_places(book, weight, source, len(source.axes) - 1)
    zero = weight.zero and not any(map(is_labelled, source.axes[:-1]))
    return Traced(axes=(*source.axes[:-1], weight.axes[0]), zero=zero)


@rule("embedding")
def embedding(book: Book, call: OperatorCall) -> Traced:
    """Rows of a table, which keeps all its rows; their entries are channels."""
    table, places = call.tensor("weight"), call.tensor("indices")
    if places.labelled:
        raise Unsupported("rows that channels name")
    produce(book, table, 1)
    book.atoms.fix(table.axes[0], replace(call.obstacle("rows of a table"), quiet=True))
    return Traced(axes=(*places.axes, table.axes[1]), zero=True)


@rule("gru", "lstm", "rnn_tanh", "rnn_relu")
def recurrent(book: Book, call: OperatorCall) -> Traced:
    """A border: what goes in and comes out stays, and so do the gates."""
    raise Unsupported("a recurrent layer keeps its inputs and its outputs")


@rule("prelu")
def prelu(book: Book, call: OperatorCall) -> Traced:
    """One slope for all channels, or one for each channel of axis 1."""
    source, weight = call.tensor("self"), call.tensor("weight")
    slopes = weight.axes[-1]
    if len(source.axes) > 1 and len(slopes) == source.shape[1] > 1:
        book.atoms.join(source.axes[1], slopes, call.obstacle(NO_CHANNELS))
    else:
        book.atoms.fix(slopes, call.obstacle("one slope for all channels"))
    return Traced(axes=source.axes, zero=source.zero)


def _weight(book: Book, call: OperatorCall) -> Traced:
    """The weight of a call; of a computed one the parameter that it is computed from entry by entry, if that is sound.

    It is where removed inputs are zero in it, or are absent since the weight takes statistics over them.
    """
    weight = call.tensor("weight")
    if weight.whole is not None or not weight.stored or len(weight.axes) < 2:
        return weight
    same = [name for name in weight.origins if _alike(book.stored[name], weight.axes)]
    statistics = np.concatenate([np.empty(0, dtype=np.int64), *book.normalised])
    sound = weight.zero or all(np.isin(axis, statistics).all() for axis in weight.axes[1:] if is_labelled(axis))
    return replace(weight, tensor=same[0]) if len(same) == 1 and sound else weight


def _alike(one: Sequence[Labels], other: Sequence[Labels]) -> bool:
    """Whether axes have the same labels; a single one may have lost its own."""
    pairs = list(zip(one, other, strict=False))
    return len(one) == len(other) and all(a.size == b.size == 1 or np.array_equal(a, b) for a, b in pairs)


def produce(book: Book, weight: Traced, axis: int) -> None:
    """Records the indices of an axis of a weight as new channels."""
    if weight.whole is not None:
        book.produced.append((layer_name(weight.whole[0]), weight.axes[axis]))


def contract(book: Book, call: OperatorCall, weight: Traced, axis: int, incoming: Labels) -> None:
    """Joins channels with the axis of the weight that is summed over."""
    if weight.whole is not None:
        book.contracted[weight.whole[0], axis].add(call.site)
    book.atoms.join(incoming, weight.axes[axis], call.obstacle(NO_CHANNELS))


def count_places(book: Book, weight: Traced, positions: Traced, channels: int) -> None:
    """Counts the positions at which a weight is applied: all indices of a tensor off its channel axis."""
    if weight.whole is not None:
        name, rows = weight.whole
        places = math.prod(size for axis, size in enumerate(positions.shape) if axis != channels) // BATCH
        share = Fraction(weight.shape[0], rows)
        book.applications[name] = book.applications.get(name, Fraction(0)) + places * share


def _check(source: Traced, weight: Traced) -> None:
    if weight.tensor is None:
        raise Unsupported("its weight is computed, not a parameter")
    if len(source.axes) != len(weight.axes):
        raise Unsupported("an input without a batch axis")
    if any(map(is_labelled, source.axes[2:])):
        raise Unsupported("its window runs over channels, so that the result depends on a channel's neighbours")
    only_channels_on(source, 1)


def _tie_blocks(book: Book, call: OperatorCall, groups: int, one: Labels, other: Labels) -> Labels:
    """Ties two axes block by block and returns one label per block."""
    table = np.concatenate([one.reshape(groups, -1), other.reshape(groups, -1)], axis=1)
    return book.atoms.tie(table, call.obstacle(_MIXED))


def _join_bias(book: Book, call: OperatorCall, outputs: Labels) -> None:
    if isinstance(call.arguments["bias"], Traced):
        book.atoms.join(outputs, call.tensor("bias").axes[0], call.obstacle(NO_CHANNELS))


def _result(call: OperatorCall, source: Traced, outputs: Labels, *, zero: bool) -> Traced:
    if call.shape is None:
        raise Unsupported("a result that is not one tensor")
    space = (unlabelled(size) for size in call.shape[2:])
    return Traced(axes=(source.axes[0], outputs, *space), zero=zero)
