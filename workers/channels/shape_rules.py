"""Rules of operators that move indices without computing: views, permutations, concatenation, slices, padding.

Refuses to follow a view that takes a channel axis apart (channel shuffle).
"""

from __future__ import annotations

import math

import numpy as np

from workers.channels.layout import Labels
from workers.channels.operators import (
    Book,
    Call,
    Traced,
    Unsupported,
    axis_number,
    is_labelled,
    rule,
    unlabelled,
)


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten")
def reshape(book: Book, call: Call) -> Traced:
    """Follows merged axes, and split ones where the channels end up on one axis."""
    source = call.tensor("self")
    if call.shape is None:
        raise Unsupported("a result that is not one tensor")
    axes: list[Labels] = []
    for before, after in _blocks(source.shape, call.shape):
        axes.extend(_reshape_block([source.axes[axis] for axis in before], [call.shape[axis] for axis in after]))
    return Traced(axes=tuple(axes))


def _blocks(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Cuts two shapes of one size into the shortest runs of axes that hold equally many elements."""
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


def _reshape_block(axes: list[Labels], sizes: list[int]) -> list[Labels]:
    labelled = [number for number, axis in enumerate(axes) if is_labelled(axis)]
    if not labelled:
        return [unlabelled(size) for size in sizes]
    if len(labelled) > 1 or not sizes:
        raise Unsupported("merges several axes of channels")
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
    raise Unsupported("takes a channel axis apart")


@rule("permute")
def permute(book: Book, call: Call) -> Traced:
    """Axes in another order."""
    source = call.tensor("self")
    return Traced(axes=tuple(source.axes[axis] for axis in call.arguments["dims"]))


@rule("transpose", "swapaxes")
def transpose(book: Book, call: Call) -> Traced:
    """Two axes exchanged."""
    axes = list(call.tensor("self").axes)
    names = ("dim0", "dim1") if "dim0" in call.arguments else ("axis0", "axis1")
    one, other = (axis_number(call.arguments[name], len(axes)) for name in names)
    axes[one], axes[other] = axes[other], axes[one]
    return Traced(axes=tuple(axes))


@rule("t")
def matrix_transpose(book: Book, call: Call) -> Traced:
    """The axes of a matrix exchanged."""
    return Traced(axes=call.tensor("self").axes[::-1])


@rule("unsqueeze")
def unsqueeze(book: Book, call: Call) -> Traced:
    """A new axis of size 1."""
    axes = list(call.tensor("self").axes)
    axes.insert(axis_number(call.arguments["dim"], len(axes) + 1), unlabelled(1))
    return Traced(axes=tuple(axes))


@rule("squeeze")
def squeeze(book: Book, call: Call) -> Traced:
    """Axes of size 1 disappear; none of them may be a channel."""
    source = call.tensor("self")
    given = call.arguments.get("dim", list(range(len(source.axes))))
    chosen = {axis_number(axis, len(source.axes)) for axis in ([given] if isinstance(given, int) else given)}
    gone = {axis for axis in chosen if source.shape[axis] == 1}
    if any(is_labelled(source.axes[axis]) for axis in gone):
        raise Unsupported("drops the axis of a single channel")
    return Traced(axes=tuple(axis for number, axis in enumerate(source.axes) if number not in gone))


@rule("expand")
def expand(book: Book, call: Call) -> Traced:
    """Axes of size 1 are repeated; none of them may be a channel."""
    source = call.tensor("self")
    shape = call.shape or ()
    axes = [unlabelled(size) for size in shape]
    for distance in range(1, len(source.axes) + 1):
        axis = source.axes[-distance]
        if len(axis) == shape[-distance]:
            axes[-distance] = axis
        elif is_labelled(axis):
            raise Unsupported("repeats a single channel")
    return Traced(axes=tuple(axes))


@rule("cat", "concat", "concatenate")
def concatenate(book: Book, call: Call) -> Traced:
    """Label arrays one after the other; the remaining axes are joined."""
    tensors: list[Traced] = [value for value in call.arguments["tensors"] if value.shape != (0,)]
    if not tensors:
        raise Unsupported("nothing to concatenate")
    dimensions = len(tensors[0].axes)
    along = axis_number(int(call.arguments.get("dim", call.arguments.get("axis", 0))), dimensions)
    axes = []
    for number in range(dimensions):
        if number == along:
            axes.append(np.concatenate([tensor.axes[number] for tensor in tensors]))
            continue
        labels = tensors[0].axes[number]
        for tensor in tensors[1:]:
            obstacle = call.obstacle("its channels meet an axis that is not made of channels")
            labels = book.atoms.join(labels, tensor.axes[number], obstacle)
        axes.append(labels)
    return Traced(axes=tuple(axes))


@rule("slice", "narrow")
def take_slice(book: Book, call: Call) -> Traced:
    """A part of one axis."""
    source = call.tensor("self")
    axis = axis_number(int(call.arguments["dim"]), len(source.axes))
    start = call.arguments["start"] or 0
    end = call.arguments["end"] if "end" in call.arguments else start + call.arguments["length"]
    return _part(book, source, axis, slice(start, end, call.arguments.get("step", 1)))


@rule("split", "split_with_sizes", "chunk")
def split(book: Book, call: Call) -> list[Traced]:
    """Consecutive parts of one axis, as long as the traced ones were."""
    source = call.tensor("self")
    axis = axis_number(int(call.arguments["dim"]), len(source.axes))
    parts, start = [], 0
    for shape in call.arguments["result_shapes"]:
        parts.append(_part(book, source, axis, slice(start, start + shape[axis])))
        start += shape[axis]
    return parts


def _part(book: Book, source: Traced, axis: int, where: slice) -> Traced:
    axes = list(source.axes)
    axes[axis] = source.axes[axis][where]
    if len(axes[axis]) != source.shape[axis] and is_labelled(source.axes[axis]):
        book.sliced.append(source.axes[axis])
    return Traced(axes=tuple(axes))


@rule("select")
def select_one(book: Book, call: Call) -> Traced:
    """One index of an axis that has no channels."""
    source = call.tensor("self")
    axis = axis_number(int(call.arguments["dim"]), len(source.axes))
    if is_labelled(source.axes[axis]):
        raise Unsupported("picks single channels")
    return Traced(axes=source.axes[:axis] + source.axes[axis + 1 :])


@rule("pad", "constant_pad_nd")
def pad(book: Book, call: Call) -> Traced:
    """Indices put before and behind, axis by axis from the last one; those on a channel axis are no channels."""
    axes = list(call.tensor("self").axes)
    amounts = list(call.arguments["pad"])
    for number, (front, back) in enumerate(zip(amounts[::2], amounts[1::2], strict=True)):
        axis = len(axes) - 1 - number
        if is_labelled(axes[axis]) and (min(front, back) < 0 or call.arguments.get("mode", "constant") != "constant"):
            raise Unsupported("mirrors or cuts channels")
        if is_labelled(axes[axis]):
            axes[axis] = np.concatenate([unlabelled(front), axes[axis], unlabelled(back)])
        else:
            axes[axis] = unlabelled(len(axes[axis]) + front + back)
    return Traced(axes=tuple(axes))


@rule("pixel_shuffle")
def pixel_shuffle(book: Book, call: Call) -> Traced:
    """Every r x r consecutive channels become one: they are one unit."""
    source = call.tensor("self")
    factor = int(call.arguments["upscale_factor"]) ** 2
    only = source.axes[-3].reshape(-1, factor)
    for column in range(1, factor):
        book.atoms.join(only[:, 0], only[:, column], call.obstacle("some of the shuffled channels have to stay"))
    if any(is_labelled(axis) for axis in source.axes[-2:]) or call.shape is None:
        raise Unsupported("space carries channels")
    return Traced(axes=(*source.axes[:-3], only[:, 0], *(unlabelled(size) for size in call.shape[-2:])))
