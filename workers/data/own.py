"""Whether a data set of the user's own is in the form that networks are called with: a look at the first samples."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from jobs.errors import BadInputError
from workers.data.images import ImageData, Split
from workers.inputs import take, tensors_of


def check_own(data: ImageData, where: str) -> None:
    """Look at the first sample of every split.

    Args:
        data: What the user's factory returned.
        where: For the error's text.

    Raises:
        BadInputError: There is no training image; or images or targets are no tensors, or not of the type, the layout
            or the shape that the data set says it has.
    """
    if not len(data.train):
        raise BadInputError(f"{where}: its training split is empty; give at least two samples")
    for name, split in _splits(data):
        image, target = _first(split.images), _first(split.targets)
        at = f"{where}: the first sample of {name}"
        if not isinstance(target, Tensor):
            raise BadInputError(f"{at} has the target {target!r}, a {_type(target)}; give a tensor: torch.tensor(...)")
        _check_image(image, data.input_shape, exact=split is data.train, at=at)


def _splits(data: ImageData) -> Iterator[tuple[str, Split]]:
    sets = {f"test set '{name}'": split for name, split in data.test_sets.items()}
    for name, split in {"train": data.train, "validation": data.validation, "test": data.test, **sets}.items():
        if len(split):
            yield name, split


def _first(values: Any) -> Any:
    """The first sample as it is given, of whatever type."""
    return take(values, 0) if isinstance(values, tuple | Mapping) else values[0]


def _check_image(image: Any, shape: tuple[int, int, int] | None, *, exact: bool, at: str) -> None:
    """Raise BadInputError unless an image fits what the data set says; `exact`: its height and width, too."""
    parts = tensors_of(image) if isinstance(image, tuple | Mapping) else (image,)
    for part in parts:
        if not isinstance(part, Tensor):
            raise BadInputError(
                f"{at} is a {_type(part)}; give a torch tensor: torch.from_numpy(...) of an array, "
                "torchvision.transforms.v2.functional.to_image(...) of a picture"
            )
    if shape is None:
        return
    found = tuple(image.shape)
    if len(found) == 3 and found != shape and (found[2], *found[:2]) == shape:
        raise BadInputError(
            f"{at} has shape {found}, with the channels last; networks take {shape}: image.permute(2, 0, 1)"
        )
    if len(found) != 3 or found[0] != shape[0] or (exact and found != shape):
        raise BadInputError(
            f"{at} has shape {found}, and the data set says input_shape={shape} (channels, height, width), by which "
            "networks are traced and counted; correct whichever is wrong"
        )
    if image.dtype is not torch.float32:
        remedy = "image.float() / 255" if image.dtype is torch.uint8 else "image.float()"
        raise BadInputError(f"{at} is of type {image.dtype}; networks take torch.float32, in [0, 1]: {remedy}")


def _type(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
