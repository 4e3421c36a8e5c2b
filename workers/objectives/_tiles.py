"""Images through a network that enlarges them: in pieces that fit into memory, and turned in all eight ways.

How much larger the outputs are follows from their size.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.inputs import Inputs, InputSpec

Enlarge: TypeAlias = Callable[[Tensor], Tensor]
"""From images (n, c, h, w) to larger ones."""

_PIXELS_PER_PASS = 2**16
"""Of the input; smaller images go through the network together, a larger one by itself."""


def predictor(*, tile: int | None, overlap: int, self_ensemble: bool) -> Callable[[nn.Module, Inputs], Tensor]:
    """How a network is applied to images.

    Args:
        tile: Side of the tiles in pixels of the input; None: whole images.
        overlap: Pixels of its surroundings that a tile gets on every side, as far as the image goes. The result is
            that of whole images if no pixel of the output depends on input that is farther away.
        self_ensemble: Whether the outputs are the mean over the eight flips and quarter turns of an image.

    Source: Lim et al. 2017, arXiv:1707.02921, section 3.4 (the self-ensemble).
    """

    def predict(module: nn.Module, images: Inputs) -> Float[Tensor, "n c sh sw"]:
        if not isinstance(images, Tensor):
            raise BadInputError(
                f"super-resolution is of one tensor of images; the data gives {InputSpec.of_sample(images)}"
            )
        enlarge: Enlarge = partial(_in_passes, module)
        if tile is not None:
            enlarge = partial(_in_tiles, enlarge, tile=tile, overlap=overlap)
        return _mean_of_turns(enlarge, images) if self_ensemble else enlarge(images)

    return predict


def _in_passes(enlarge: Enlarge, images: Tensor) -> Tensor:
    at_once = max(1, _PIXELS_PER_PASS // (images.shape[2] * images.shape[3]))
    return torch.cat([enlarge(each) for each in images.split(at_once)])


def _in_tiles(enlarge: Enlarge, images: Tensor, *, tile: int, overlap: int) -> Tensor:
    rows = []
    for top, bottom, above, below in _cells(images.shape[2], tile, overlap):
        row = []
        for left, right, before, behind in _cells(images.shape[3], tile, overlap):
            piece = images[:, :, above:below, before:behind]
            output = enlarge(piece)
            scale = _scale_of(piece, output)
            inner = output[:, :, (top - above) * scale : (bottom - above) * scale]
            row.append(inner[:, :, :, (left - before) * scale : (right - before) * scale])
        rows.append(torch.cat(row, 3))
    return torch.cat(rows, 2)


def _cells(length: int, side: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    """Begin and end of every tile along an axis, and begin and end with its surroundings."""
    for begin in range(0, length, side):
        end = min(begin + side, length)
        yield begin, end, max(begin - overlap, 0), min(end + overlap, length)


def _scale_of(images: Tensor, outputs: Tensor) -> int:
    (height, width), found = images.shape[2:], outputs.shape[2:]
    scale = found[0] // height
    if not scale or found != (scale * height, scale * width):
        raise BadInputError(
            f"the network makes {tuple(found)} of {(height, width)} pixels; outputs of tiles must be a whole number of "
            "times as large as these; leave the objective's `tile` out"
        )
    return scale


def _mean_of_turns(enlarge: Enlarge, images: Tensor) -> Tensor:
    total: Tensor | None = None
    for turns in range(4):
        for mirrored in (False, True):
            given = images.flip(3) if mirrored else images
            output = enlarge(given.rot90(turns, (2, 3))).rot90(-turns, (2, 3))
            output = output.flip(3) if mirrored else output
            total = output if total is None else total + output
    if total is None:
        raise ValueError("an image has eight flips and turns")
    return total / 8
