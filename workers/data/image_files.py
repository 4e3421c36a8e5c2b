"""Image files of a folder, and their pixels as bytes."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jobs.errors import BadInputError
from workers.data.files import image_size, read_image

ENDINGS = (".png", ".jpg", ".jpeg")
_OTHERS = (
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".pbm", ".pgm", ".pnm", ".ppm"),
    *(".tga", ".tif", ".tiff", ".webp"),
)
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH = 24  # where a PNG file has its bits per channel


def image_files(folder: Path) -> list[Path]:
    """The image files of a folder by name; hidden ones do not count.

    Raises:
        BadInputError: There are images in a format that is not read, which would be missing.
    """
    shown = sorted(path for path in folder.glob("*") if not path.name.startswith("."))
    others = [path for path in shown if path.suffix.lower() in _OTHERS]
    if others:
        raise BadInputError(
            f"{others[0]}: images are read from {', '.join(ENDINGS)} files, and {len(others)} in {folder} would be "
            "left out; convert them to PNG or JPEG, or remove them"
        )
    return [path for path in shown if path.suffix.lower() in ENDINGS]


def rgb_shape(path: Path) -> tuple[int, int]:
    """Height and width in pixels of what `read_rgb` would read; nothing is decoded.

    Raises:
        BadInputError: The file is no image, or has 16 bits per channel, which Pillow would cut to 8 in various ways.
    """
    width, height = image_size(path)
    with path.open("rb") as stream:
        header = stream.read(_PNG_DEPTH + 1)
    if header.startswith(_PNG) and header[_PNG_DEPTH] == 16:
        raise BadInputError(f"{path}: has 16 bits per channel; 8 are needed: convert it")
    return height, width


def read_rgb(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of an image: grey ones have three equal channels, and alpha is left out, as MATLAB's `imread` does.

    Raises:
        BadInputError: The file cannot be read as an image.
    """
    return np.asarray(read_image(path))
