"""Rules of the operators that own parameters: convolutions, linear layers, batch norm, PReLU.

Grouped convolutions other than depthwise ones are refused in this version. Refuses to know about modules: a layer is
the name of its weight.
"""

from __future__ import annotations

import numpy as np

from workers.channels.layout import Labels
from workers.channels.operators import Book, Call, Traced, Unsupported, is_labelled, only_channels_on, rule
from workers.channels.trace import layer_name

_FIXED = "its channels meet an axis that is not made of channels"


@rule("conv1d", "conv2d", "conv3d")
def convolution(book: Book, call: Call) -> Traced:
    """Input channels are contracted, output channels are new; a depthwise convolution hands its input's on."""
    source, weight = call.tensor("input"), call.tensor("weight")
    groups = int(call.arguments["groups"])
    outputs, inputs = weight.axes[0], weight.axes[1]
    depthwise = groups > 1 and groups == source.shape[1]
    if not depthwise:
        _produce(book, weight, 0)
    _check(source, weight, 1)
    if depthwise:
        multiplier = len(outputs) // groups
        book.atoms.join(outputs, np.repeat(source.axes[1], multiplier), call.obstacle(_FIXED))
    elif groups == 1:
        _contract(book, call, weight, 1, source.axes[1], inputs)
    else:
        raise Unsupported(f"a convolution in {groups} groups of several channels")
    _join_bias(book, call, outputs)
    return _result(call, source, outputs)


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed_convolution(book: Book, call: Call) -> Traced:
    """The same with the weight's first two axes exchanged."""
    source, weight = call.tensor("input"), call.tensor("weight")
    _produce(book, weight, 1)
    _check(source, weight, 1)
    if int(call.arguments["groups"]) != 1:
        raise Unsupported("a transposed convolution in groups")
    _contract(book, call, weight, 0, source.axes[1], weight.axes[0])
    _join_bias(book, call, weight.axes[1])
    return _result(call, source, weight.axes[1])


@rule("linear")
def linear(book: Book, call: Call) -> Traced:
    """Contracts the last axis; channels on other axes pass."""
    source, weight = call.tensor("input"), call.tensor("weight")
    _produce(book, weight, 0)
    if weight.tensor is None:
        raise Unsupported("its weight is computed, not a parameter")
    _contract(book, call, weight, 1, source.axes[-1], weight.axes[1])
    _join_bias(book, call, weight.axes[0])
    return Traced(axes=(*source.axes[:-1], weight.axes[0]))


@rule("batch_norm")
def batch_norm(book: Book, call: Call) -> Traced:
    """Weight, bias and running statistics go with the channels of axis 1."""
    source = call.tensor("input")
    only_channels_on(source, 1)
    for name in ("weight", "bias", "running_mean", "running_var"):
        if isinstance(call.arguments[name], Traced):
            book.atoms.join(source.axes[1], call.tensor(name).axes[0], call.obstacle(_FIXED))
    return Traced(axes=source.axes)


@rule("prelu")
def prelu(book: Book, call: Call) -> Traced:
    """One slope for all channels, or one for each channel of axis 1."""
    source, weight = call.tensor("self"), call.tensor("weight")
    slopes = weight.axes[-1]
    if len(source.axes) > 1 and len(slopes) == source.shape[1] > 1:
        book.atoms.join(source.axes[1], slopes, call.obstacle(_FIXED))
    else:
        book.atoms.fix(slopes, call.obstacle("one slope for all channels"))
    return Traced(axes=source.axes)


def _check(source: Traced, weight: Traced, channel_axis: int) -> None:
    if weight.tensor is None:
        raise Unsupported("its weight is computed, not a parameter")
    if len(source.axes) != len(weight.axes):
        raise Unsupported("an input without a batch axis")
    only_channels_on(source, channel_axis)


def _produce(book: Book, weight: Traced, axis: int) -> None:
    if weight.tensor is not None:
        book.produced.append((layer_name(weight.tensor), weight.axes[axis]))


def _contract(book: Book, call: Call, weight: Traced, axis: int, incoming: Labels, labels: Labels) -> None:
    if weight.tensor is not None:
        book.roles[weight.tensor, axis] = "input"
    book.atoms.join(incoming, labels, call.obstacle(_FIXED))


def _join_bias(book: Book, call: Call, outputs: Labels) -> None:
    if isinstance(call.arguments["bias"], Traced):
        book.atoms.join(outputs, call.tensor("bias").axes[0], call.obstacle(_FIXED))


def _result(call: Call, source: Traced, outputs: Labels) -> Traced:
    if call.shape is None or any(is_labelled(axis) for axis in source.axes[2:]):
        raise Unsupported("a result that is not one tensor")
    space = tuple(np.full(size, -1, dtype=np.int64) for size in call.shape[2:])
    return Traced(axes=(source.axes[0], outputs, *space))
