"""Rules of normalisation layers.

Batch and instance norm treat every channel alone, and so they standardise the weights of every output alone. Group norm
in several groups couples the channels of a group, so that whole groups are removed. Layer norm, RMS norm and group norm
in one group take statistics over channels: they are marked, since removing a channel changes the output of the others.
"""

from __future__ import annotations

from workers.channels.layout import Labels
from workers.channels.operators import (
    NO_CHANNELS,
    Book,
    OperatorCall,
    Traced,
    is_labelled,
    only_channels_on,
    rule,
)

_MIXED = "channels that have to stay share a group of a norm with others"


@rule("batch_norm", "instance_norm")
def channel_norm(book: Book, call: OperatorCall) -> Traced:
    """Weight, bias and running statistics are coupled with the channels of axis 1.

    Of a weight, one for each output; there, statistics are over the inputs.
    """
    source = call.tensor("input")
    if not source.stored:
        only_channels_on(source, 1)
    for axis in (0, *range(2, len(source.axes))):
        book.normalised.append(source.axes[axis])
    for name in ("weight", "bias", "running_mean", "running_var"):
        _join(book, call, name, 0, source.axes[1])
    return Traced(axes=source.axes, zero=source.zero or _has(call, "weight"))


@rule("group_norm")
def group_norm(book: Book, call: OperatorCall) -> Traced:
    """One group takes statistics over all channels of axis 1; of several groups each is one unit."""
    source, groups = call.tensor("input"), int(call.arguments["num_groups"])
    only_channels_on(source, 1)
    if groups == 1:
        book.normalised.append(source.axes[1])
    else:
        book.facts[f"{call.site} in parts"] = (source.shape[1] / groups,)
        book.atoms.tie(source.axes[1].reshape(groups, -1), call.obstacle(_MIXED))
    for name in ("weight", "bias"):
        _join(book, call, name, 0, source.axes[1])
    return Traced(axes=source.axes, zero=_has(call, "weight") or (source.zero and groups > 1))


@rule("layer_norm", "rms_norm")
def layer_norm(book: Book, call: OperatorCall) -> Traced:
    """Statistics over the last axes; weight and bias have these axes, too."""
    source = call.tensor("input")
    first = len(source.axes) - len(call.arguments["normalized_shape"])
    over_channels = False
    for axis, labels in enumerate(source.axes[first:]):
        over_channels |= is_labelled(labels)
        book.normalised.append(labels)
        for name in ("weight", "bias"):
            _join(book, call, name, axis, labels)
    elsewhere = any(is_labelled(labels) for labels in source.axes[:first])
    zero = _has(call, "weight") if over_channels and not elsewhere else source.zero and not _has(call, "bias")
    return Traced(axes=source.axes, zero=zero)


def _has(call: OperatorCall, name: str) -> bool:
    return isinstance(call.arguments.get(name), Traced)


def _join(book: Book, call: OperatorCall, name: str, axis: int, labels: Labels) -> None:
    if _has(call, name):
        book.atoms.join(labels, call.tensor(name).axes[axis], call.obstacle(NO_CHANNELS))
