"""Images of different sizes on square canvases of one size, with their boxes or their maps of classes.

An image lies in the upper left corner. Only one that is larger than the canvas is scaled, down to the canvas by its
longer side, and its boxes or its map with it. The rest of the canvas is black, and its pixels are of no class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from PIL import Image
from torch import Tensor

from jobs.errors import BadInputError
from workers.data.files import image_size, read_image
from workers.data.images import Split

IGNORED = 255
"""The class of pixels that count nowhere."""

_SLACK = 1.0
"""Pixels by which a box may stick out of its image, as rounding leaves it; it is cut there."""


def fitted_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height, in pixels, of an image on a canvas of `size` x `size`."""
    longer = max(width, height)
    if longer <= size:
        return width, height
    return max(1, round(width * size / longer)), max(1, round(height * size / longer))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedImage:
    """An image with its boxes.

    Attributes:
        image: The file.
        source: Where the boxes were read, for messages.
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        boxes: x1, y1, x2, y2 in pixels from the upper left corner of the image (a box that covers the whole image is
            0, 0, width, height), the label from 1, and 1 if the box is difficult or a crowd, else 0.

    Raises:
        BadInputError: A box is outside of the image, or has no area.
    """

    image: Path
    source: str
    width: int
    height: int
    boxes: Float64[Tensor, "m 6"]

    def __post_init__(self) -> None:
        corners = self.boxes[:, :4]
        cut = corners.clamp_min(0).minimum(torch.tensor([self.width, self.height] * 2, dtype=torch.float64))
        inside = ((corners - cut).abs() <= _SLACK).all(1)
        with_area = (cut[:, 2:] > cut[:, :2]).all(1)
        for number in (~(inside & with_area)).nonzero().flatten().tolist():
            found = f"{self.source}: box {number + 1} is {tuple(round(x, 2) for x in corners[number].tolist())}"
            if not inside[number]:
                raise BadInputError(
                    f"{found} (left, top, right, bottom, counted from 0), outside of its image of {self.width} x "
                    f"{self.height} pixels; correct or remove it"
                )
            raise BadInputError(
                f"{found} (left, top, right, bottom, counted from 0), which has no area; correct or remove it"
            )

    def fitted_boxes(self, size: int) -> Float32[Tensor, "m 6"]:
        """The boxes on a canvas, cut to the image."""
        width, height = fitted_size(self.width, self.height, size)
        ends = torch.tensor([width, height] * 2, dtype=torch.float64)
        factors = ends / torch.tensor([self.width, self.height] * 2, dtype=torch.float64)
        corners = (self.boxes[:, :4] * factors).clamp_min(0).minimum(ends)
        return torch.cat([corners, self.boxes[:, 4:]], 1).float()


class CanvasImages:
    """Image files as RGB in [0, 1] on canvases.

    Args:
        paths: PNG or JPEG files.
        size: Side of the canvas, in pixels.
    """

    def __init__(self, paths: Sequence[Path], *, size: int) -> None:
        self._paths, self._size = paths, size

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int, /) -> Float32[Tensor, "3 size size"]:
        """One image.

        Raises:
            BadInputError: The file cannot be read as an image.
        """
        return self.place(read_image(self._paths[index]))

    def place(self, image: Image.Image) -> Float32[Tensor, "3 size size"]:
        """An image on its canvas."""
        width, height = fitted_size(*image.size, self._size)
        canvas = np.zeros(
            (3, self._size, self._size), dtype=np.float32
        )  # torch's threads would cost more than they help
        pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
        canvas[:, :height, :width] = pixels.transpose(2, 0, 1) / 255
        return torch.from_numpy(canvas)


class _ImagesOfBoxes(CanvasImages):
    """Images whose size the annotations say, too: boxes would be elsewhere if it were another."""

    def __init__(self, annotated: Sequence[AnnotatedImage], *, size: int) -> None:
        super().__init__([each.image for each in annotated], size=size)
        self._annotated = annotated

    def __getitem__(self, index: int, /) -> Float32[Tensor, "3 size size"]:
        image, annotated = read_image(self._paths[index]), self._annotated[index]
        if image.size != (annotated.width, annotated.height):
            raise BadInputError(
                f"{annotated.source}: says {annotated.width} x {annotated.height} pixels, but {self._paths[index]} has "
                f"{image.width} x {image.height}; correct the annotation, or take the image that it was made for"
            )
        return self.place(image)


class CanvasMasks:
    """Maps of classes on canvases, from images whose pixel values are classes; scaled to the nearest pixel.

    Args:
        paths: PNG files with a palette or in grey, one for each image.
        images: The images, whose size a map must have.
        size: Side of the canvas, in pixels.
        num_classes: How many there are, the background included; 255 is ignored.
    """

    def __init__(self, paths: Sequence[Path], images: Sequence[Path], *, size: int, num_classes: int) -> None:
        self._paths, self._images, self._size, self._num_classes = paths, images, size, num_classes

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int, /) -> Int64[Tensor, "size size"]:
        """One map.

        Raises:
            BadInputError: The file is no map of such classes, or not of its image's size.
        """
        path, image = self._paths[index], self._images[index]
        mask = read_image(path, rgb=False)
        if mask.mode not in ("P", "L"):
            raise BadInputError(f"{path}: has mode {mask.mode}; a map of classes is a PNG with a palette, or in grey")
        if mask.size != (size := image_size(image)):
            raise BadInputError(
                f"{path}: has {mask.width} x {mask.height} pixels, but {image} has {size[0]} x {size[1]}; "
                "they must have one size: take the mask that was made for this image"
            )
        width, height = fitted_size(*mask.size, self._size)
        classes = np.asarray(mask.resize((width, height), Image.Resampling.NEAREST))
        unknown = classes[(classes >= self._num_classes) & (classes != IGNORED)]
        if len(unknown):
            raise BadInputError(
                f"{path}: has class {unknown[0]}; classes are 0 to {self._num_classes - 1}, and {IGNORED} is ignored: "
                "name all classes in data.arguments.classes"
            )
        canvas = np.full((self._size, self._size), IGNORED, dtype=np.int64)
        canvas[:height, :width] = classes
        return torch.from_numpy(canvas)


class CanvasBoxes:
    """Boxes on canvases, filled up with zeros: x1, y1, x2, y2 in pixels, label, difficult or crowd.

    Args:
        boxes: Those of every image.
        max_boxes: How many there are room for.
    """

    def __init__(self, boxes: Sequence[Float32[Tensor, "_ 6"]], *, max_boxes: int) -> None:
        self._together, self._max_boxes = torch.cat([torch.zeros(0, 6), *boxes]), max_boxes
        self._ends = torch.tensor([0, *map(len, boxes)]).cumsum(0).tolist()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int, /) -> Float32[Tensor, "max_boxes 6"]:
        """The boxes of one image."""
        start, end = self._ends[index], self._ends[index + 1]
        padded = torch.zeros(self._max_boxes, 6)
        padded[: end - start] = self._together[start:end]
        return padded


def boxes_split(annotated: Sequence[AnnotatedImage], *, size: int, max_boxes: int) -> Split:
    """Images on canvases with their boxes.

    Args:
        annotated: At least one.
        size: Side of the canvas, in pixels.
        max_boxes: How many boxes there are room for.

    Raises:
        BadInputError: An image has more.
    """
    most = max(annotated, key=lambda each: len(each.boxes))
    if len(most.boxes) > max_boxes:
        raise BadInputError(
            f"{most.source}: {most.image.name} has {len(most.boxes)} boxes, and there is room for {max_boxes}; "
            f"set data.arguments.max_boxes to at least {len(most.boxes)}"
        )
    boxes = [each.fitted_boxes(size) for each in annotated]
    return Split(images=_ImagesOfBoxes(annotated, size=size), targets=CanvasBoxes(boxes, max_boxes=max_boxes))


def check_canvas(where: str, *, size: int, classes: Sequence[str] | None = None, max_boxes: int | None = None) -> None:
    """Check the arguments that data sets on canvases have in common.

    Raises:
        BadInputError: One of them does not do.
    """
    for name, value in (("size", size), ("max_boxes", max_boxes)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise BadInputError(f"{where}: {name} is {value!r}; a whole number from 1 is needed")
    if classes is None:
        return
    named = list(classes) if isinstance(classes, list | tuple) else []
    if not named or not all(isinstance(each, str) for each in named) or len(set(named)) < len(named):
        raise BadInputError(f"{where}: classes is {classes!r}; a list of names is needed, each once")
    if len(named) >= IGNORED:
        raise BadInputError(f"{where}: classes has {len(named)} names; {IGNORED - 1} at most: {IGNORED} is ignored")
