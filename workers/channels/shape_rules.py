"""Rules of operators that change the axes of a tensor: views, permutations, axes of size 1.

A view that splits a channel axis (heads, channel shuffle) leaves open which of the new axes gets shorter when channels
are removed: the code fixes either the number of parts or their length. The rule takes one interpretation and joins the
labels that it couples; the second trace tests it (see `analysis`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from workers.channels.layout import Labels
from workers.channels.operators import (
    AxisSplit,
    Book,
    OperatorCall,
    Traced,
    Unsupported,
    axis_number,
    covers,
    is_labelled,
    rule,
    unlabelled,
)
from workers.channels.trace import BATCH


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "view_as", "reshape_as")
def reshape(book: Book, call: OperatorCall) -> Traced:
    """Follows merged axes and split ones.

    Where the channels of one axis end up on several, the longest of these is assumed to get shorter with them, and as
    further interpretations the others by length; all labels at one of its indices are joined. Channels that are split
    for an attention product go by heads first; before that comes an axis whose length the code takes from channels.
    """
    source = call.tensor("self")
    if call.shape is None:
        raise Unsupported("a result that is not one tensor")
    axes: list[Labels] = []
    for before, after in _blocks(source.shape, call.shape):
        follow = {place for place, axis in enumerate(after) if is_labelled(call.lengths.get(axis, unlabelled(0)))}
        values, sizes = [source.axes[axis] for axis in before], [call.shape[axis] for axis in after]
        axes.extend(_reshape_block(book, call, values, sizes, follow))
    return Traced(axes=tuple(axes), zero=source.zero)


def _blocks(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Splits two shapes of one size into the shortest runs of axes that hold equally many elements."""
    if math.prod(before) == 0:
        raise Unsupported("an empty tensor")
    blocks: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) and j < len(after):
        left, right = [i], [j]
        sizes = [before[i], after[j]]
        while sizes[0] != sizes[1]:
            if sizes[0] < sizes[1]:
                left.append(left[-1] + 1)
                sizes[0] *= before[left[-1]]
            else:
                right.append(right[-1] + 1)
                sizes[1] *= after[right[-1]]
        blocks.append((left, right))
        i, j = left[-1] + 1, right[-1] + 1
    rest = (list(range(i, len(before))), list(range(j, len(after))))  # axes of size 1
    if blocks:
        blocks[-1][0].extend(rest[0])
        blocks[-1][1].extend(rest[1])
    elif any(rest):
        blocks.append(rest)
    return blocks


def _reshape_block(
    book: Book, call: OperatorCall, axes: list[Labels], sizes: list[int], follow: Collection[int]
) -> list[Labels]:
    labelled = [number for number, axis in enumerate(axes) if is_labelled(axis)]
    if not labelled:
        return [unlabelled(size) for size in sizes]
    for number in labelled if len(labelled) > 1 else []:
        if len(axes[number]) == 1:
            book.atoms.fix(axes[number], call.obstacle("drops the axis of a single channel"))
            labelled = [other for other in labelled if other != number]
    if len(labelled) > 1:
        made = [number for number in labelled if _made(book, axes[number])]
        for number in set(labelled) - set(made):
            book.atoms.fix(axes[number], call.obstacle("they are positions, not features"))
        labelled = made
    if len(labelled) > 1 or not sizes:
        raise Unsupported("merges several axes of channels")
    if not labelled:
        return [unlabelled(size) for size in sizes]
    place = labelled[0]
    shape = [len(axis) for axis in axes]
    spread = axes[place].reshape([-1 if number == place else 1 for number in range(len(axes))])
    values = np.broadcast_to(spread, shape).reshape(sizes)
    for target in range(len(sizes)):
        others = tuple(number for number in range(len(sizes)) if number != target)
        first = values[tuple(slice(None) if number == target else slice(0, 1) for number in range(len(sizes)))]
        if (values == first).all():
            result = [unlabelled(size) for size in sizes]
            result[target] = values.min(axis=others)
            return result
    return _split_axis(book, call, values, follow)


def _made(book: Book, axis: Labels) -> bool:
    """Whether a layer has made any of these channels; what no layer made counts the rows of a table."""
    return any(np.isin(axis, labels).any() for _, labels in book.produced)


def _split_axis(book: Book, call: OperatorCall, values: Labels, follow: Collection[int]) -> list[Labels]:
    """Labels of the axes of an array of labels, one of them with channels: one that follows others, if there is one."""
    order = sorted(range(values.ndim), key=lambda axis: (values.shape[axis], axis), reverse=True)
    parts = [axis for axis in range(values.ndim) if values.shape[axis] > 1]
    if call.site in book.heads and len(parts) > 1:  # the last axis is a head's places, the one before counts the heads
        order.remove(parts[-2])
        order.insert(0, parts[-2])
    order.sort(key=lambda axis: axis not in follow)
    book.splits[call.site] = AxisSplit(
        labels=values.reshape(-1), interpretations=tuple(axis for axis in order if values.shape[axis] > 1)
    )
    target = book.choices.setdefault(call.site, order[0])
    if target >= values.ndim:
        raise Unsupported("a view that depends on the number of channels")
    result = [unlabelled(size) for size in values.shape]
    table = np.moveaxis(values, target, 0).reshape(values.shape[target], -1)
    result[target] = book.atoms.tie(table, call.obstacle("channels that have to stay are taken apart with others"))
    return result


@rule("permute")
def permute(book: Book, call: OperatorCall) -> Traced:
    """Axes in another order."""
    source = call.tensor("self")
    return Traced(axes=tuple(source.axes[axis] for axis in call.arguments["dims"]), zero=source.zero)


@rule("transpose", "swapaxes")
def transpose(book: Book, call: OperatorCall) -> Traced:
    """Two axes exchanged."""
    source = call.tensor("self")
    axes = list(source.axes)
    names = ("dim0", "dim1") if "dim0" in call.arguments else ("axis0", "axis1")
    one, other = (axis_number(call.arguments[name], len(axes)) for name in names)
    axes[one], axes[other] = axes[other], axes[one]
    return Traced(axes=tuple(axes), zero=source.zero)


@rule("movedim", "moveaxis")
def move_axes(book: Book, call: OperatorCall) -> Traced:
    """Some axes at other positions, the rest in order."""
    source = call.tensor("self")
    moved, places = (
        [axis_number(axis, len(source.axes)) for axis in ([given] if isinstance(given, int) else given)]
        for given in (call.arguments["source"], call.arguments["destination"])
    )
    order = [axis for axis in range(len(source.axes)) if axis not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return Traced(axes=tuple(source.axes[axis] for axis in order), zero=source.zero)


@rule("t")
def matrix_transpose(book: Book, call: OperatorCall) -> Traced:
    """The axes of a matrix exchanged."""
    source = call.tensor("self")
    return Traced(axes=source.axes[::-1], zero=source.zero)


@rule("unsqueeze")
def unsqueeze(book: Book, call: OperatorCall) -> Traced:
    """A new axis of size 1."""
    source = call.tensor("self")
    axes = list(source.axes)
    axes.insert(axis_number(call.arguments["dim"], len(axes) + 1), unlabelled(1))
    return Traced(axes=tuple(axes), zero=source.zero)


@rule("squeeze")
def squeeze(book: Book, call: OperatorCall) -> Traced:
    """Axes of size 1 disappear; a single channel on one of them has to stay."""
    source = call.tensor("self")
    given = call.arguments.get("dim", list(range(len(source.axes))))
    chosen = {axis_number(axis, len(source.axes)) for axis in ([given] if isinstance(given, int) else given)}
    gone = {axis for axis in chosen if source.shape[axis] == 1}
    for axis in gone:
        book.atoms.fix(source.axes[axis], call.obstacle("drops the axis of a single channel"))
    axes = [axis for number, axis in enumerate(source.axes) if number not in gone]
    return Traced(axes=tuple(axes), zero=source.zero)


@rule("expand", "expand_as")
def expand(book: Book, call: OperatorCall) -> Traced:
    """Axes of size 1 are repeated; a single channel on one of them has to stay."""
    source = call.tensor("self")
    shape = call.shape or ()
    axes = [_repeated(book, source, axis, shape) for axis in range(len(shape))]
    for distance in range(1, len(source.axes) + 1):
        axis = source.axes[-distance]
        if len(axis) == shape[-distance]:
            axes[-distance] = axis
        else:
            book.atoms.fix(axis, call.obstacle("repeats a single channel"))
    return Traced(axes=tuple(axes), zero=source.zero and covers(source, axes))


def _repeated(book: Book, source: Traced, axis: int, shape: Sequence[int]) -> Labels:
    """Labels of an axis along which one entry is repeated.

    The code may do so for each channel, such as with the weight of a blur, or with one gate for all feature maps. So
    the entries are coupled with the channels that they meet; if their number is fixed, the second trace tells.
    """
    filters = source.stored and axis == 0 and shape[axis] != BATCH
    maps = not source.stored and axis == 1
    return book.atoms.fresh(shape[axis]) if len(shape) > 3 and (filters or maps) else unlabelled(shape[axis])


@rule("repeat")
def repeat(book: Book, call: OperatorCall) -> Traced:
    """Axes are tiled; a single channel that is repeated has to stay."""
    source, times = call.tensor("self"), list(call.arguments["repeats"])
    added = len(times) - len(source.axes)
    axes = [unlabelled(count) for count in times[:added]]
    for axis, count in zip(source.axes, times[added:], strict=True):
        if len(axis) == 1 < count:
            book.atoms.fix(axis, call.obstacle("repeats a single channel"))
            axes.append(_repeated(book, source, len(axes), call.shape or ()))
        else:
            axes.append(np.tile(axis, count))
    gained = any(
        len(axis) == 1 < count and is_labelled(new)
        for axis, count, new in zip(source.axes, times[added:], axes[added:], strict=True)
    )
    return Traced(axes=tuple(axes), zero=source.zero and not gained)
