"""Rules of torchvision's own operators: pooling over regions, and the deformable convolution.

Both read places from a second tensor, which may have no channels. What sorts out boxes (`nms`) has no rule: what it
reads stays whole.
"""

from __future__ import annotations

from workers.channels.layer_rules import plain_convolution
from workers.channels.operators import (
    Book,
    OperatorCall,
    Traced,
    Unsupported,
    Value,
    only_channels_on,
    rule,
    unlabelled,
)


@rule("roi_align")
def over_regions(book: Book, call: OperatorCall) -> Traced:
    """Averages over regions of every channel; the batch axis becomes one of regions."""
    source = _pooled(call)
    if call.shape is None:
        raise Unsupported("a result that is not one tensor")
    return _of_regions(source, call.shape, source.zero)


@rule("roi_pool")
def largest_of_regions(book: Book, call: OperatorCall) -> Value:
    """The largest number in every region, and where it was."""
    source = _pooled(call)
    shape = call.arguments["result_shapes"][0]
    return [_of_regions(source, shape, source.zero), _of_regions(source, shape, False)]


@rule("deform_conv2d")
def deformable_convolution(book: Book, call: OperatorCall) -> Traced:
    """A convolution whose places come from another one."""
    for name in ("offset", "mask"):
        places = call.tensor(name)
        for axis in places.axes:
            book.atoms.fix(axis, call.obstacle("they are places, not features"))
    if int(call.arguments["offset_groups"]) > 1:
        raise Unsupported("offsets for several blocks of channels")
    return plain_convolution(book, call)


def _pooled(call: OperatorCall) -> Traced:
    source = call.tensor("input")
    only_channels_on(source, 1)
    if call.tensor("rois").labelled:
        raise Unsupported("its regions carry channels")
    return source


def _of_regions(source: Traced, shape: tuple[int, ...], zero: bool) -> Traced:
    regions, _, *space = shape
    return Traced(axes=(unlabelled(regions), source.axes[1], *map(unlabelled, space)), zero=zero)
