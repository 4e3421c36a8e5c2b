"""Images in tar files (WebDataset's shards) in a folder or an object store, of which a disk need not hold all.

The files are named `train-*.tar`, `val-*.tar` and `test-*.tar`. In a folder they are looked through when the data is
loaded. Elsewhere an index is needed, which has the number of samples and the fingerprint of each; it is the root of the
data set:

    python -m workers.data.shards FOLDER > index.json

Shards that are elsewhere are fetched whole when a sample of theirs is read, into the folder of `ORCHARD_IMAGE_CACHE`,
where those go that were unused for longest. Training goes through few at a time (`Split.parts`).
"""

import fcntl
import functools
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import fsspec
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from jobs.errors import BadInputError
from jobs.fingerprint import fingerprint
from workers.data.files import data_root, every_tenth
from workers.data.folder import centre_square, unit_tensor
from workers.data.image_pairs import image_cache
from workers.data.images import ImageData, Split
from workers.data.pictures import Cut
from workers.data.tar_samples import TarSamples, find_samples
from workers.reading import unreadable

PARTS = ("train", "val", "test")

Index: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Part of the data -> name of a file -> its number of `samples`, and its `fingerprint`."""

_OPEN = 64  # shards in a process; each holds a file descriptor
_LAYOUT = "train-*.tar and val-*.tar or test-*.tar or both"


class Shards:
    """The samples of several shards, one after the other.

    Args:
        base: Folder or URI that they lie in.
        entries: A part of the index.
    """

    def __init__(self, base: str, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self._base, self._names = base, list(entries)
        self._known_as = [each.get("fingerprint") or _state(base, name) for name, each in entries.items()]
        self._ends = torch.tensor([each["samples"] for each in entries.values()]).cumsum(0)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def parts(self) -> Int64[Tensor, " n"]:
        """The shard of each sample."""
        return torch.searchsorted(self._ends, torch.arange(len(self)), right=True)

    def sample(self, index: int) -> tuple[TarSamples, int]:
        """The shard of a sample, and its number there.

        Raises:
            BadInputError: The shard cannot be read, or has another number of samples than the index says.
        """
        part = int(torch.searchsorted(self._ends, index, right=True))
        start, end = (0 if not part else int(self._ends[part - 1])), int(self._ends[part])
        shard = _opened(self._base, self._names[part], self._known_as[part])
        if len(shard) != end - start:
            raise BadInputError(
                f"{self._base}/{self._names[part]}: has {len(shard)} samples, but the index says {end - start}; "
                "write the index anew"
            )
        return shard, index - start


class ShardImages:
    """The pictures of shards as RGB in [0, 1], cut out of them."""

    def __init__(self, shards: Shards, cut: Cut) -> None:
        self._shards, self._cut = shards, cut

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, index: int, /) -> Float32[Tensor, "3 h w"]:
        """One image.

        Raises:
            BadInputError: It cannot be read.
        """
        shard, number = self._shards.sample(index)
        return unit_tensor(self._cut(shard.image(number)))

    def with_cut(self, cut: Cut) -> "ShardImages":
        """The same pictures, cut in this way."""
        return ShardImages(self._shards, cut)


class ShardLabels:
    """The classes of shards."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, index: int, /) -> Int64[Tensor, ""]:
        """One class.

        Raises:
            BadInputError: It cannot be read.
        """
        shard, number = self._shards.sample(index)
        return torch.tensor(shard.label(number))


def load_shards(root: str | None, num_classes: int, size: int = 224, resize: int | None = None) -> ImageData:
    """Images of shards, their classes as whole numbers.

    Where only one of `val` and `test` is there, it is the test split and every tenth training image is kept for
    validation, as of `imagefolder`.

    Args:
        root: A folder of shards, or the path or URI of an index beside them.
        num_classes: How many classes there are.
        size: Side of the square images, in pixels.
        resize: Length of the shorter side before the centre crop; `size` unless given.

    Raises:
        BadInputError: There is no index, or no shard of a part that is needed, or `resize` is smaller than `size`.
    """
    resize = size if resize is None else resize
    if not 1 <= size <= resize:
        raise BadInputError(f"data 'webdataset': size is {size}, resize {resize}; 1 <= size <= resize is needed")
    base, index = _found(root)
    held_out = [part for part in ("val", "test") if index.get(part)]
    if not held_out or not index.get("train"):
        raise BadInputError(f"data 'webdataset': {root} has {', '.join(index) or 'nothing'}; needed: {_LAYOUT}")
    cut = partial(centre_square, size=size, resize=resize)
    train, *others = (_split(base, index[part], cut) for part in ("train", *held_out))
    if len(others) == 1:
        train, validation = every_tenth(train)
        others.insert(0, validation)
    return ImageData(
        train=train, validation=others[0], test=others[1], num_classes=num_classes, input_shape=(3, size, size)
    )


def make_index(folder: Path) -> Index:
    """The index of the shards in a folder.

    Raises:
        BadInputError: One of them cannot be read.
    """
    return {
        part: {name: {**entry, "fingerprint": fingerprint(str(folder / name))} for name, entry in entries.items()}
        for part, entries in _counted(folder).items()
    }


def _counted(folder: Path) -> Index:
    found = {
        part: {
            path.name: {"samples": len(find_samples(path, str(path)))} for path in sorted(folder.glob(f"{part}-*.tar"))
        }
        for part in PARTS
    }
    return {part: entries for part, entries in found.items() if entries}


def _split(base: str, entries: Mapping[str, Mapping[str, Any]], cut: Cut) -> Split:
    shards = Shards(base, entries)
    return Split(images=ShardImages(shards, cut), targets=ShardLabels(shards), parts=shards.parts())


def _found(root: str | None) -> tuple[str, Index]:
    """Where the shards lie, and their index."""
    if root is None or not root.endswith(".json"):
        folder = data_root("webdataset", root)
        return str(folder), _counted(folder)
    base, _, _ = root.rpartition("/")
    try:
        with fsspec.open(root, "rb") as stream:
            document: Any = json.load(stream)
    except (OSError, ValueError, ImportError) as error:
        raise unreadable(error, f"data 'webdataset': the index {root} cannot be read ({error}); {_HOW}") from error
    if not _is_index(document):
        raise BadInputError(f"data 'webdataset': {root} is no index; {_HOW}")
    return base, document


_HOW = "write it with `python -m workers.data.shards FOLDER`, and put it beside the shards"


def _is_index(document: object) -> bool:
    parts = document.values() if isinstance(document, dict) else [None]
    return all(
        isinstance(part, dict)
        and all(
            isinstance(entry, dict)
            and isinstance(entry.get("samples"), int)
            and entry["samples"] > 0
            and isinstance(entry.get("fingerprint"), str)
            for entry in part.values()
        )
        for part in parts
    )


def _state(base: str, name: str) -> str:
    """Size and time of a shard in a folder: what it is known by where no index says that."""
    if "://" in base or not Path(base, name).is_file():
        return ""
    state = Path(base, name).stat()
    return f"{state.st_size} {state.st_mtime_ns}"


@functools.lru_cache(maxsize=_OPEN)
def _opened(base: str, name: str, known_as: str) -> TarSamples:
    if "://" not in base:
        return TarSamples(Path(base) / name, f"{base}/{name}")
    uri, cache = f"{base}/{name}", image_cache()
    cached_name = hashlib.sha256(f"{uri} {known_as}".encode()).hexdigest()[:32]
    if cache is not None:
        cached = Path(cache.path(cached_name))
        with _one_at_a_time(cached):
            content = b"" if cached.is_file() else _fetched(uri)
            if not content or cache.put(cached_name, content):
                os.utime(cached)
                return TarSamples(cached, uri)
    else:
        content = _fetched(uri)
    with tempfile.NamedTemporaryFile() as file:  # an open file stays when its name goes
        file.write(content)
        file.flush()
        return TarSamples(Path(file.name), uri)


def _fetched(uri: str) -> bytes:
    try:
        with fsspec.open(uri, "rb") as stream:
            content: bytes = stream.read()
    except (OSError, ValueError, ImportError) as error:
        raise unreadable(error, f"{uri}: cannot be read ({error})") from error
    return content


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Processes that read the same data need a shard at the same time: one fetches it, and the others wait."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    print(json.dumps(make_index(Path(sys.argv[1])), indent=1))
