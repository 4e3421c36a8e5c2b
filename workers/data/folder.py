"""Images in folders, one folder per class, as ImageNet is laid out; read lazily."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image
from torch import Tensor

from jobs.errors import BadInputError
from workers.data.files import data_root, every_tenth, read_image
from workers.data.image_files import ENDINGS, image_files
from workers.data.images import ImageData, Split
from workers.data.pictures import Cut

_LAYOUT = "train/CLASS/*.png|jpg|jpeg, and the same below test/ or val/ or both"


class ImageFiles:
    """Image files as RGB in [0, 1], cut out of their pictures.

    Args:
        paths: PNG or JPEG files.
        cut: How.
    """

    def __init__(self, paths: list[Path], cut: Cut) -> None:
        self._paths, self._cut = paths, cut

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int, /) -> Float32[Tensor, "3 h w"]:
        """One image.

        Raises:
            BadInputError: The file cannot be read as an image.
        """
        return unit_tensor(self._cut(read_image(self._paths[index])))

    def with_cut(self, cut: Cut) -> "ImageFiles":
        """The same pictures, cut in this way."""
        return ImageFiles(self._paths, cut)


def unit_tensor(image: Image.Image) -> Float32[Tensor, "3 h w"]:
    """An image in RGB as a tensor in [0, 1]."""
    channels_first = np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
    return torch.from_numpy(channels_first.astype(np.float32)).div_(255)


def centre_square(image: Image.Image, *, size: int, resize: int) -> Image.Image:
    """Resize and CenterCrop as torchvision does them on PIL images, rounding included, for its weights.

    Args:
        image: A picture.
        size: Side of the square, in pixels.
        resize: Length that the shorter side is scaled to first, in pixels; at least `size`.
    """
    shorter = min(image.size)
    width, height = (side * resize // shorter for side in image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))


def load_folder(root: str | None, size: int = 224, resize: int | None = None) -> ImageData:
    """Images below `train`, `val` and `test`, a folder per class; classes are numbered by name.

    Where only one of `val` and `test` is there, it is the test split (as with ImageNet's `val`) and every tenth
    training image is kept for validation.

    Args:
        root: The folder with `train` in it.
        size: Side of the square images, in pixels.
        resize: Length of the shorter side before the centre crop; `size` unless given. torchvision's ImageNet weights
            expect size 224, resize 256.

    Raises:
        BadInputError: The layout does not match, pictures are in a format that is not read, a class has none to train
            on, or `resize` is smaller than `size`.
    """
    resize = size if resize is None else resize
    if not 1 <= size <= resize:
        raise BadInputError(f"data 'imagefolder': size is {size}, resize {resize}; 1 <= size <= resize is needed")
    base = data_root("imagefolder", root)
    held_out = [part for part in ("val", "test") if (base / part).is_dir()]
    if not held_out or not (base / "train").is_dir():
        raise BadInputError(f"data 'imagefolder': files not found; expected under {base}: {_LAYOUT}")
    classes = _classes(base / "train")
    found = [_pictures(base / part, classes) for part in ("train", *held_out)]
    empty = [name for name, paths in found[0].items() if not paths]
    if empty:
        raise BadInputError(
            f"data 'imagefolder': {base / 'train' / empty[0]} has no pictures, and would count as a class; "
            f"put {', '.join(ENDINGS)} files there, or remove the folder"
        )
    train, *others = (_split(each, partial(centre_square, size=size, resize=resize)) for each in found)
    if len(others) == 1:
        train, validation = every_tenth(train)
        others.insert(0, validation)
    return ImageData(
        train=train, validation=others[0], test=others[1], num_classes=len(classes), input_shape=(3, size, size)
    )


def _classes(folder: Path) -> list[str]:
    root = folder.parent.resolve()
    names = sorted(each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    outside = [name for name in names if not (folder / name).resolve().is_relative_to(root)]
    if outside:
        raise BadInputError(
            f"data 'imagefolder': {folder / outside[0]} is a link to a folder outside of {root}, whose changes would "
            "not be noticed; put the pictures below the root"
        )
    return names


def _pictures(folder: Path, classes: list[str]) -> dict[str, list[Path]]:
    """The pictures of a split, by their class; all classes are there."""
    unknown = sorted(set(_classes(folder)) - set(classes))
    if unknown:
        raise BadInputError(f"data 'imagefolder': {folder} has classes that train/ lacks: {', '.join(unknown)}")
    found = {name: image_files(folder / name) for name in classes}
    if not any(found.values()):
        raise BadInputError(f"data 'imagefolder': no images below {folder}; expected: {_LAYOUT}")
    return found


def _split(pictures: dict[str, list[Path]], cut: Cut) -> Split:
    paths = [path for members in pictures.values() for path in members]
    labels = [label for label, members in enumerate(pictures.values()) for _ in members]
    return Split(images=ImageFiles(paths, cut), targets=torch.tensor(labels, dtype=torch.int64))
