"""Rules of operators that combine or select indices of an axis: concatenation, slices, padding, shuffles.

Single channels may be selected only by an index list that the network stores.
"""

from __future__ import annotations

import numpy as np

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
    unlabelled,
)
from workers.channels.trace import layer_name

_TAKEN_APART = "channels that have to stay are taken apart with others"


@rule("cat", "concat", "concatenate")
def concatenate(book: Book, call: OperatorCall) -> Traced:
    """Label arrays one after the other; the remaining axes are joined.

    Entries that come from a parameter alone, such as a class token, are no channels; but parameters put beside each
    other, such as the biases of three layers, are.
    """
    tensors: list[Traced] = [value for value in call.arguments["tensors"] if value.shape != (0,)]
    if not tensors:
        raise Unsupported("nothing to concatenate")
    dimensions = len(tensors[0].axes)
    along = axis_number(int(call.arguments.get("dim", call.arguments.get("axis", 0))), dimensions)
    beside = not all(tensor.stored for tensor in tensors)
    for tensor in tensors:
        if tensor.stored and beside:
            book.atoms.fix(tensor.axes[along], call.obstacle("a parameter put beside the results of layers"))
    parts = [unlabelled(each.shape[along]) if each.stored and beside else each.axes[along] for each in tensors]
    axes = [
        np.concatenate(parts)
        if axis == along
        else meet(book, call, [tensor.axes[axis] for tensor in tensors], tensors[0].shape[axis])
        for axis in range(dimensions)
    ]
    return Traced(axes=tuple(axes), zero=all(tensor.zero for tensor in tensors if tensor.labelled))


@rule("stack")
def stack(book: Book, call: OperatorCall) -> Traced:
    """Tensors of one shape along a new axis; the others are joined."""
    tensors: list[Traced] = call.arguments["tensors"]
    sizes = tensors[0].shape
    axes = [meet(book, call, [tensor.axes[axis] for tensor in tensors], size) for axis, size in enumerate(sizes)]
    axes.insert(axis_number(int(call.arguments["dim"]), len(axes) + 1), unlabelled(len(tensors)))
    return Traced(axes=tuple(axes), zero=all(tensor.zero for tensor in tensors))


@rule("slice", "narrow")
def take_slice(book: Book, call: OperatorCall) -> Traced:
    """A part of one axis; up to a number in a module, or all that is left from there, it may have any length.

    Of channels in steps, all from one to the next are one unit.
    """
    source = call.tensor("self")
    axis = axis_number(int(call.arguments["dim"]), len(source.axes))
    start = call.arguments["start"] or 0
    end = call.arguments["end"] if "end" in call.arguments else start + call.arguments["length"]
    where = slice(start, end, call.arguments.get("step", 1))
    if where.step > 1 and is_labelled(source.axes[axis]):
        book.atoms.tie(_runs(source.axes[axis], where), call.obstacle(_TAKEN_APART))
        return _take(source, axis, where)
    bound = call.sized[0].bound if call.sized else ""
    before = call.lengths.get(axis)
    if bound == "start" and before is not None and before.size == start:
        book.atoms.join(before, source.axes[axis][:start], call.obstacle(_TAKEN_APART))
    elif bound != "stop":
        return _part(book, source, axis, where)
    return _take(source, axis, where)


@rule("split", "split_with_sizes", "chunk")
def split(book: Book, call: OperatorCall) -> list[Traced]:
    """Consecutive parts of one axis; parts of one length stay so: equal indices of all parts are tied.

    Parts whose lengths are numbers in modules, each another one, may have any lengths.
    """
    source = call.tensor("self")
    axis = axis_number(int(call.arguments["dim"]), len(source.axes))
    sizes = [shape[axis] for shape in call.arguments["result_shapes"]]
    labels = source.axes[axis]
    ends = np.cumsum(sizes)
    numbers = {each.origin for each in call.sized if isinstance(each.origin, tuple)}
    if len(numbers) == len(sizes):
        return [_take(source, axis, slice(end - size, end)) for size, end in zip(sizes, ends, strict=True)]
    if len(set(sizes)) == 1 < len(sizes) and is_labelled(labels):
        book.atoms.tie(labels.reshape(len(sizes), -1).T, call.obstacle(_TAKEN_APART))
        return [_take(source, axis, slice(start, start + sizes[0])) for start in range(0, labels.size, sizes[0])]
    return [_part(book, source, axis, slice(end - size, end)) for size, end in zip(sizes, ends, strict=True)]


def _take(source: Traced, axis: int, where: slice) -> Traced:
    return Traced(
        axes=(*source.axes[:axis], source.axes[axis][where], *source.axes[axis + 1 :]),
        rows_of=None if axis else source.whole,
        zero=source.zero,
    )


def _runs(labels: Labels, where: slice) -> Labels:
    """The runs of an axis, of each of which a slice takes one entry."""
    start, stop, step = where.indices(labels.size)
    if labels.size % step or len(range(start, stop, step)) != labels.size // step:
        raise Unsupported("takes every other channel of some")
    return labels.reshape(-1, step)


def _part(book: Book, source: Traced, axis: int, where: slice) -> Traced:
    part = _take(source, axis, where)
    if part.shape[axis] != source.shape[axis] and is_labelled(source.axes[axis]):
        book.sliced.append(source.axes[axis])
    return part


@rule("select")
def select_one(book: Book, call: OperatorCall) -> Traced:
    """One index of an axis; channels on that axis have to stay."""
    source = call.tensor("self")
    axis = axis_number(int(call.arguments["dim"]), len(source.axes))
    return _without(book, call, source, axis)


@rule("index_select")
def select_some(book: Book, call: OperatorCall) -> Traced:
    """Channels selected by a stored index list are new ones; the source stays whole, or the indices would change."""
    source, index = call.tensor("self"), call.tensor("index")
    axis = axis_number(int(call.arguments["dim"]), len(source.axes))
    if index.tensor is None:
        raise Unsupported("picks single channels")
    labels = source.axes[axis]
    if not is_labelled(labels):  # positions, or channels of the image
        return Traced(
            axes=(*source.axes[:axis], unlabelled(index.shape[0]), *source.axes[axis + 1 :]), zero=source.zero
        )
    book.atoms.fix(labels, call.obstacle("channels are picked by number"))
    book.produced.append((layer_name(index.tensor), index.axes[0]))
    return Traced(axes=(*source.axes[:axis], index.axes[0], *source.axes[axis + 1 :]))


@rule("index")
def look_up(book: Book, call: OperatorCall) -> Traced:
    """Rows of a table looked up by numbers; what is numbered has to stay, the other axes pass."""
    source, indices = call.tensor("self"), call.arguments["indices"]
    numbered = [axis for axis, index in enumerate(indices) if index is not None]
    if call.shape is None or numbered != list(range(numbered[0], numbered[-1] + 1)):
        raise Unsupported("looks up along axes that are not neighbours")
    if any(index.labelled for index in indices if isinstance(index, Traced) and index.tensor is None):
        raise Unsupported("channels as positions in a table")
    for axis in numbered:
        book.atoms.fix(source.axes[axis], call.obstacle("picks single channels"))
    before, after = source.axes[: numbered[0]], source.axes[numbered[-1] + 1 :]
    found = call.shape[len(before) : len(call.shape) - len(after)]
    return Traced(axes=(*before, *(unlabelled(size) for size in found), *after), zero=source.zero)


@rule("repeat_interleave")
def repeat_each(book: Book, call: OperatorCall) -> Traced:
    """Every index of an axis several times in a row: the copies of a channel are one unit with it."""
    source, times, axis = call.tensor("self"), call.arguments["repeats"], call.arguments.get("dim")
    if not isinstance(times, int) or axis is None:
        raise Unsupported("repeats every channel another number of times")
    axis = axis_number(int(axis), len(source.axes))
    repeated = np.repeat(source.axes[axis], times)
    return Traced(axes=(*source.axes[:axis], repeated, *source.axes[axis + 1 :]), zero=source.zero)


@rule("unbind")
def unbind(book: Book, call: OperatorCall) -> list[Traced]:
    """All indices of an axis one by one; channels on that axis have to stay."""
    source = call.tensor("self")
    axis = axis_number(int(call.arguments["dim"]), len(source.axes))
    return [_without(book, call, source, axis)] * source.shape[axis]


def _without(book: Book, call: OperatorCall, source: Traced, axis: int) -> Traced:
    book.atoms.fix(source.axes[axis], call.obstacle("picks single channels"))
    return Traced(axes=source.axes[:axis] + source.axes[axis + 1 :], zero=source.zero)


@rule("roll", "flip")
def turn(book: Book, call: OperatorCall) -> Traced:
    """Moves indices along axes without channels."""
    source = call.tensor("self")
    turned = call.arguments["dims"] or range(len(source.axes))
    if any(is_labelled(source.axes[axis_number(axis, len(source.axes))]) for axis in turned):
        raise Unsupported("moves single channels")
    return Traced(axes=source.axes, zero=source.zero)


@rule("pad", "constant_pad_nd")
def pad(book: Book, call: OperatorCall) -> Traced:
    """Pads axis by axis from the last one; how many channels are put beside others stands in the code, so they stay."""
    source = call.tensor("self")
    axes = list(source.axes)
    amounts = list(call.arguments["pad"])
    constant = call.arguments.get("mode", "constant") == "constant"
    for number, (front, back) in enumerate(zip(amounts[::2], amounts[1::2], strict=True)):
        axis = len(axes) - 1 - number
        if is_labelled(axes[axis]) and (min(front, back) < 0 or not constant):
            raise Unsupported("mirrors or cuts channels")
        if is_labelled(axes[axis]):
            beside = [book.atoms.fresh(amount) for amount in (front, back)]
            book.atoms.fix(
                np.concatenate(beside), call.obstacle("channels of padding, whose number stands in the code")
            )
            axes[axis] = np.concatenate([beside[0], axes[axis], beside[1]])
        else:
            axes[axis] = unlabelled(len(axes[axis]) + front + back)
    return Traced(axes=tuple(axes), zero=source.zero and (not constant or not call.arguments.get("value")))


@rule("pixel_shuffle")
def pixel_shuffle(book: Book, call: OperatorCall) -> Traced:
    """Every r x r consecutive channels become one: they are one unit."""
    source, shape = _over_image(call)
    factor = int(call.arguments["upscale_factor"]) ** 2
    labels = book.atoms.tie(source.axes[-3].reshape(-1, factor), call.obstacle(_TAKEN_APART))
    return Traced(axes=(*source.axes[:-3], labels, *(unlabelled(size) for size in shape[-2:])), zero=source.zero)


@rule("pixel_unshuffle")
def pixel_unshuffle(book: Book, call: OperatorCall) -> Traced:
    """One channel becomes r x r consecutive ones."""
    source, shape = _over_image(call)
    labels = np.repeat(source.axes[-3], int(call.arguments["downscale_factor"]) ** 2)
    return Traced(axes=(*source.axes[:-3], labels, *(unlabelled(size) for size in shape[-2:])), zero=source.zero)


def _over_image(call: OperatorCall) -> tuple[Traced, tuple[int, ...]]:
    source = call.tensor("self")
    if any(is_labelled(axis) for axis in source.axes[-2:]) or call.shape is None:
        raise Unsupported("space carries channels")
    return source, call.shape


@rule("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(book: Book, call: OperatorCall) -> Traced:
    """Channel j of part i goes to position i of part j: equal indices of all parts are one unit."""
    source, parts = call.tensor("self", "input"), int(call.arguments["groups"])
    labels = book.atoms.tie(source.axes[1].reshape(parts, -1).T, call.obstacle(_TAKEN_APART))
    return Traced(axes=(source.axes[0], np.repeat(labels, parts), *source.axes[2:]), zero=source.zero)
