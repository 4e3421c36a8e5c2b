"""Shared by the readers of data files: finding a folder, decoding images, and splitting off validation images."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from jobs.errors import BadInputError, UnfitMachineError
from workers.data.images import ImageData, Split
from workers.reading import unreadable

_FORMATS = ("PNG", "JPEG")  # whatever a file is called: Pillow would run Ghostscript on a PostScript file
_WIDE = ("I", "F")  # how Pillow's modes of 16 and 32 bits per channel begin


EVERY = 10
"""One of so many training samples validates, where a data set has no samples for that."""


def data_root(name: str, root: str | None) -> Path:
    """The root as a path.

    Raises:
        BadInputError: No root was given.
        UnfitMachineError: It is no folder on this machine, or an empty one, as where nothing is mounted.
    """
    if root is None:
        raise BadInputError(f"data '{name}': no root given; name the folder that holds the files")
    folder = Path(root)
    if not folder.is_dir():
        hint = "; data is read from a folder, not from a URI: mount it" if "://" in root else ""
        raise UnfitMachineError(f"data '{name}': root '{root}' is not a folder on this machine{hint}")
    if not any(folder.iterdir()):
        raise UnfitMachineError(f"data '{name}': root '{root}' is empty on this machine; is it mounted there?")
    return folder


def find_layout(name: str, root: Path, layouts: Mapping[str, Sequence[str]]) -> tuple[str, Path]:
    """Find which of several layouts a root has, either below a folder of the layout's name or in the root itself.

    Args:
        name: The data set, for the error.
        root: Where to look.
        layouts: From a folder's name to the files that make it complete.

    Returns:
        The layout's name and the folder that holds its files.

    Raises:
        BadInputError: None is complete; says what each lacks.
    """
    for layout, files in layouts.items():
        for folder in (root / layout, root):
            if all((folder / file).is_file() for file in files):
                return layout, folder
    lacking = []
    for layout, files in layouts.items():
        folder = root / layout if (root / layout).is_dir() else root
        missing = [file for file in files if not (folder / file).is_file()]
        lacking.append(f"{layout}/ with {', '.join(files)} (missing in {folder}: {', '.join(missing)})")
    raise BadInputError(
        "\n  or ".join([f"data '{name}': files not found; expected under {root}:\n  {lacking[0]}", *lacking[1:]])
    )


def decode_image(content: BytesIO, name: str) -> Image.Image:
    """The content of a PNG or JPEG file, decoded, in RGB; arguments and errors as of `read_image`."""
    with _opened(content, name) as image:
        image.load()
        return in_rgb(image, name)


def read_image(path: Path, *, rgb: bool = True) -> Image.Image:
    """A PNG or JPEG file, decoded, in RGB, or else in the mode that it has.

    Raises:
        BadInputError: The file cannot be read as an image, or not as one in RGB.
        OSError: The system could not read it now.
    """
    with _opened(path, str(path)) as image:
        image.load()
        return in_rgb(image, str(path)) if rgb else image


def in_rgb(image: Image.Image, name: str) -> Image.Image:
    """A picture in RGB.

    Args:
        image: The picture.
        name: For the error's text.

    Raises:
        BadInputError: It is grey with more than 8 bits, of which Pillow would make white wherever they exceed 255.
    """
    if image.mode.startswith(_WIDE):
        raise BadInputError(f"{name}: has 16 bits per channel or more; 8 are needed: convert it")
    return image if image.mode == "RGB" else image.convert("RGB")


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG or JPEG file in pixels, without decoding it.

    Raises:
        BadInputError: The file cannot be read as an image.
        OSError: The system could not read it now.
    """
    with _opened(path, str(path)) as image:
        return image.size


@contextmanager
def _opened(source: Path | BytesIO, name: str) -> Iterator[Image.Image]:
    try:
        with Image.open(source, formats=_FORMATS) as image:
            yield image
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise unreadable(error, f"{name}: cannot be read as an image ({error}); replace or remove it") from error


def every_tenth(split: Split) -> tuple[Split, Split]:
    """A split without every tenth sample, for training, and those samples, for validation."""
    tenth = torch.arange(len(split)) % EVERY == EVERY - 1
    return split.select((~tenth).nonzero().flatten()), split.select(tenth.nonzero().flatten())


def from_pixels(
    *,
    train: tuple[UInt8[Tensor, "n c h w"], UInt8[Tensor, " n"]],
    test: tuple[UInt8[Tensor, "m c h w"], UInt8[Tensor, " m"]],
    num_classes: int,
) -> ImageData:
    """Scale bytes to [0, 1] and keep the last tenth of the training images for validation (CIFAR: 5,000 of 50,000)."""
    images, labels = train
    num_train = len(labels) - len(labels) // 10
    _, channels, height, width = images.shape
    return ImageData(
        train=_scaled(images[:num_train], labels[:num_train]),
        validation=_scaled(images[num_train:], labels[num_train:]),
        test=_scaled(*test),
        num_classes=num_classes,
        input_shape=(channels, height, width),
    )


def _scaled(pixels: UInt8[Tensor, "n c h w"], labels: UInt8[Tensor, " n"]) -> Split:
    return Split(images=pixels.to(torch.float32).div_(255), targets=labels.to(torch.int64))
