"""Whether a data set is filled, and one of the user's own in the form that networks are called with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from jobs.errors import BadInputError
from workers.data.files import EVERY
from workers.data.images import ImageData, Split
from workers.inputs import take, tensors_of


def check_filled(data: ImageData, where: str) -> None:
    """Refuse a data set with an empty split, which would be found only when a network is trained.

    Args:
        data: The data set.
        where: For the error's text.

    Raises:
        BadInputError: A split, or a named test set, has no samples.
    """
    for name, split in _splits(data).items():
        if len(split):
            continue
        remedy = f"; give {name} at least one sample"
        if name == "validation" and len(data.train) < EVERY:
            remedy = (
                f": every tenth of {len(data.train)} training samples is none; give at least {EVERY} of these, or some "
                "for validation alone (`validation=` of from_torch)"
            )
        raise BadInputError(f"{where}: {name} is empty{remedy}")


def check_own(data: ImageData, where: str) -> None:
    """Look at the first sample of every split.

    Args:
        data: What the user's factory returned; no split is empty.
        where: For the error's text.

    Raises:
        BadInputError: Images or targets are no tensors, or not of the type, the layout or the shape that the data set
            says it has.
    """
    for name, split in _splits(data).items():
        image, target = _first(split.images), _first(split.targets)
        at = f"{where}: the first sample of {name}"
        if not isinstance(target, Tensor):
            raise BadInputError(f"{at} has the target {target!r}, a {_type(target)}; give a tensor: torch.tensor(...)")
        _check_image(image, data.input_shape, exact=split is data.train, at=at)


def check_pairs(name: str, dataset: object) -> None:
    """Look at the first sample of a dataset of torch, as the dataset gives it.

    Args:
        name: Which one it is, for the error's text: `train`.
        dataset: What the user gave for it.

    Raises:
        BadInputError: It is not read by number; or its first sample has what cannot be read as an image or as a target.
    """
    if isinstance(dataset, DataLoader):
        raise BadInputError(f"{name} is a DataLoader, and a dataset is needed, read by number: give loader.dataset")
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise BadInputError(f"{name} is a {_type(dataset)}; give a dataset that has __len__ and __getitem__")
    sample = dataset[0] if len(dataset) else None
    if isinstance(sample, tuple | list) and len(sample) == 2:
        at = f"the first sample of {name}"
        _check_picture(sample[0], at)
        _check_target(sample[1], at)


def _check_picture(image: object, at: str) -> None:
    """Raise BadInputError unless something can be read as an image of three axes."""
    if not isinstance(image, Tensor | np.ndarray | Image.Image):
        raise BadInputError(
            f"{at} has a {_type(image)} for its image; give a picture of Pillow, an array (height, width, channels) or "
            "a tensor (channels, height, width)"
        )
    if not isinstance(image, Tensor):
        return
    shape = tuple(image.shape)
    if len(shape) == 2:
        raise BadInputError(f"{at} has shape {shape}; networks take (1, {shape[0]}, {shape[1]}): image[None]")
    if len(shape) != 3:
        raise BadInputError(
            f"{at} has shape {shape}; `from_torch` is of images (channels, height, width): give an ImageData of your "
            "own, without input_shape, where networks take something else"
        )
    if _channels_last(*shape):
        raise _channels_are_last(at, shape)


def _channels_last(height: int, width: int, channels: int) -> bool:
    """Whether a shape is, by its numbers, that of an image with its channels last."""
    coloured, grey = channels in (3, 4), channels == 1 and height == width
    return min(height, width) > 4 and (coloured or grey)


def _check_target(target: object, at: str) -> None:
    try:
        torch.as_tensor(target)
    except (TypeError, ValueError, RuntimeError):
        raise BadInputError(
            f"{at} has the target {target!r}, a {_type(target)}; give a number or a tensor: of classes their numbers "
            "from 0"
        ) from None


def _splits(data: ImageData) -> dict[str, Split]:
    sets = {f"test set '{name}'": split for name, split in data.test_sets.items()}
    return {"train": data.train, "validation": data.validation, "test": data.test, **sets}


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
        raise _channels_are_last(at, found)
    if len(found) != 3 or found[0] != shape[0] or (exact and found != shape):
        raise BadInputError(
            f"{at} has shape {found}, and the data set says input_shape={shape} (channels, height, width), by which "
            "networks are traced and counted; correct whichever is wrong"
        )
    if image.dtype is not torch.float32:
        remedy = "image.float() / 255" if image.dtype is torch.uint8 else "image.float()"
        raise BadInputError(f"{at} is of type {image.dtype}; networks take torch.float32, in [0, 1]: {remedy}")


def _channels_are_last(at: str, shape: tuple[int, ...]) -> BadInputError:
    height, width, channels = shape
    return BadInputError(
        f"{at} has shape {shape}, with the channels last; networks take {(channels, height, width)}: "
        "image.permute(2, 0, 1)"
    )


def _type(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
