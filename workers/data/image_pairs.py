"""Pairs of a low- and a high-resolution image, each decoded once into a file that is mapped into memory.

The files are bytes without a header in a folder that the processes of a machine share: `ORCHARD_IMAGE_CACHE`, by
default one in the temporary folder. A file is named by the paths, sizes and times of its images and by what was done
with them, is written aside and renamed, and may be deleted at any time. Above `ORCHARD_IMAGE_CACHE_BYTES` (by default
20 GiB; DIV2K takes 7, and 14 with enlarged images) those go that were unused for longest. Where nothing can be
written, or the limit is 0, every read decodes its image.
"""

import contextlib
import functools
import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from jaxtyping import UInt8

from jobs.errors import BadInputError
from workers.data.image_files import read_rgb
from workers.data.resize import enlarge, shrink
from workers.file_cache import FileCache, configured_cache

CACHE_FOLDER, CACHE_BYTES = "ORCHARD_IMAGE_CACHE", "ORCHARD_IMAGE_CACHE_BYTES"
"""The environment variables that set folder and size of the cache."""

_DEFAULT_BYTES = 20 * 2**30
_FORMAT = 1  # of the cached files; also to be raised when the same images give other pixels
_MAPS = 256  # open at once in a process; each holds a file descriptor

_log = logging.getLogger("orchard")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFiles:
    """Where a pair comes from.

    Attributes:
        high: The high-resolution image.
        low: The low-resolution image; None: it is made from the other, anti-aliased bicubic.
        height: Of the high-resolution image in pixels, cut to a multiple of the scale.
        width: The same.
    """

    high: Path
    low: Path | None
    height: int
    width: int


class ImagePairs:
    """Images for a network that makes them larger, and what they should become.

    Args:
        files: One pair each.
        scale: How many times larger the high-resolution images are.
        enlarged: Enlarge the low-resolution images to the size of the others, bicubic.
        cache: Where decoded pairs are kept; None: nowhere.
    """

    def __init__(self, files: Sequence[PairFiles], *, scale: int, enlarged: bool, cache: FileCache | None) -> None:
        self.scale, self.enlarged = scale, enlarged
        self._files, self._cache = files, cache
        self._keys = [self._key(pair) for pair in files]

    def __len__(self) -> int:
        return len(self._files)

    @property
    def factor(self) -> int:
        """How many times larger the targets are than the network's inputs."""
        return 1 if self.enlarged else self.scale

    def name(self, index: int) -> str:
        """The path of the high-resolution image."""
        return str(self._files[index].high)

    def input_size(self, index: int) -> tuple[int, int]:
        """Height and width of a network's input in pixels."""
        pair = self._files[index]
        return pair.height // self.factor, pair.width // self.factor

    def pixels(self, index: int) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "fh fw 3"]]:
        """The input and the target, read-only; what is not looked at is not read.

        Raises:
            BadInputError: A file cannot be read, or has changed its size.
        """
        height, width = self.input_size(index)
        split, factor = 3 * height * width, self.factor
        flat = self._bytes(index, split * (1 + factor**2))
        low, high = flat[:split], flat[split:]
        return low.reshape(height, width, 3), high.reshape(height * factor, width * factor, 3)

    def _bytes(self, index: int, num_bytes: int) -> UInt8[np.ndarray, " n"]:
        if self._cache is None:
            return self._decoded(index)
        key = self._keys[index]
        try:
            return _mapped(self._cache.path(key), num_bytes)
        except (OSError, ValueError):  # not there, or not whole
            flat = self._decoded(index)
            if not self._cache.put(key, flat.data):
                _say_that_nothing_is_kept(str(self._cache.folder))
            return flat

    def _decoded(self, index: int) -> UInt8[np.ndarray, " n"]:
        pair = self._files[index]
        high = np.ascontiguousarray(read_rgb(pair.high)[: pair.height, : pair.width])
        low = shrink(high, self.scale) if pair.low is None else read_rgb(pair.low)
        if (high.shape, low.shape) != (
            (pair.height, pair.width, 3),
            (pair.height // self.scale, pair.width // self.scale, 3),
        ):
            raise BadInputError(f"{pair.high}: it or its low-resolution image has changed its size; run again")
        return np.concatenate([(enlarge(low, self.scale) if self.enlarged else low).ravel(), high.ravel()])

    def _key(self, pair: PairFiles) -> str:
        stats = [(str(path.resolve()), path.stat()) for path in (pair.high, pair.low) if path is not None]
        facts = [[path, stat.st_size, stat.st_mtime_ns] for path, stat in stats]
        settings = [_FORMAT, PIL.__version__, self.scale, self.enlarged, pair.low is None]
        return hashlib.sha256(json.dumps([settings, facts]).encode()).hexdigest()[:32]


def image_cache() -> FileCache | None:
    """The cache that the environment configures (above).

    Raises:
        BadInputError: Its size is not a number of bytes.
    """
    return configured_cache(CACHE_FOLDER, CACHE_BYTES, default_folder="orchard-images", default_bytes=_DEFAULT_BYTES)


@functools.lru_cache(maxsize=_MAPS)
def _mapped(path: str, num_bytes: int) -> UInt8[np.ndarray, " n"]:
    mapped = np.memmap(path, np.uint8, "r")
    if mapped.size != num_bytes:
        raise ValueError(f"{path}: {mapped.size} bytes instead of {num_bytes}")
    with contextlib.suppress(OSError):  # a folder that others filled
        os.utime(path)  # what is used is not evicted
    return np.asarray(mapped)


@functools.cache
def _say_that_nothing_is_kept(folder: str) -> None:
    """Once per process."""
    _log.warning(
        "decoded images cannot be kept in %s (disk full, or %s too small), so that every patch decodes an image: slow. "
        "%s names another folder",
        folder,
        CACHE_BYTES,
        CACHE_FOLDER,
    )
