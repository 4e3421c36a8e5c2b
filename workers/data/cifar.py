"""CIFAR-10 and CIFAR-100 from the files of their authors, in the binary or the Python version.

The Python version is pickles: they are read by an unpickler that accepts NumPy arrays and plain values and refuses
everything else, since a pickle can run code.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from jobs.errors import BadInputError
from workers.data.files import data_root, find_layout, from_pixels
from workers.data.images import ImageData

_SHAPE = (3, 32, 32)
_NUM_BYTES = 3 * 32 * 32
_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]

Pixels = tuple[UInt8[Tensor, "n 3 32 32"], UInt8[Tensor, " n"]]


def load_cifar10(root: str | None) -> ImageData:
    """CIFAR-10: 45,000 training images, the last 5,000 of the training files for validation, 10,000 test images.

    Args:
        root: Holds `cifar-10-batches-bin` or `cifar-10-batches-py`, or is one of them.

    Raises:
        BadInputError: Files are missing or damaged.
    """
    layouts = {
        "cifar-10-batches-bin": [f"{batch}.bin" for batch in [*_BATCHES, "test_batch"]],
        "cifar-10-batches-py": [*_BATCHES, "test_batch"],
    }
    layout, folder = find_layout("cifar10", data_root("cifar10", root), layouts)
    binary = layout.endswith("bin")
    read = [
        _read_binary(folder / file, num_label_bytes=1) if binary else _read_pickle(folder / file, labels="labels")
        for file in layouts[layout]
    ]
    images, labels = (torch.cat(parts) for parts in zip(*read[:-1], strict=True))
    return from_pixels(train=(images, labels), test=read[-1], num_classes=10)


def load_cifar100(root: str | None) -> ImageData:
    """CIFAR-100 with its 100 fine labels: 45,000 training, 5,000 validation and 10,000 test images.

    Args:
        root: Holds `cifar-100-binary` or `cifar-100-python`, or is one of them.

    Raises:
        BadInputError: Files are missing or damaged.
    """
    layouts = {"cifar-100-binary": ["train.bin", "test.bin"], "cifar-100-python": ["train", "test"]}
    layout, folder = find_layout("cifar100", data_root("cifar100", root), layouts)
    # The binary version has the coarse label before the fine one.
    train, test = (
        _read_binary(folder / file, num_label_bytes=2)
        if layout.endswith("binary")
        else _read_pickle(folder / file, labels="fine_labels")
        for file in layouts[layout]
    )
    return from_pixels(train=train, test=test, num_classes=100)


def _read_binary(path: Path, *, num_label_bytes: int) -> Pixels:
    """Reads records of label bytes, of which the last one is used, and 3,072 pixels, channel by channel."""
    record = num_label_bytes + _NUM_BYTES
    content = np.fromfile(path, dtype=np.uint8)
    if not content.size or content.size % record:
        raise BadInputError(f"{path}: has {content.size} bytes; a multiple of {record} is needed: copy the file again")
    records = torch.from_numpy(content).view(-1, record)
    return records[:, num_label_bytes:].reshape(-1, *_SHAPE), records[:, num_label_bytes - 1]


def _read_pickle(path: Path, *, labels: str) -> Pixels:
    """Reads a dictionary of b"data" (n x 3,072 bytes) and labels."""
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="bytes").load()
        pixels = torch.from_numpy(np.array(content[b"data"], dtype=np.uint8)).view(-1, *_SHAPE)
        return pixels, torch.tensor(content[labels.encode()], dtype=torch.uint8)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise BadInputError(
            f"{path}: is not a batch of CIFAR's Python version ({error}); fetch the file again"
        ) from error


def _encode(text: str, encoding: str) -> bytes:
    """Python 3's encoding of bytes in old pickles; other codecs could inflate a small file."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"refused: codec '{encoding}'; only arrays and plain values are read")
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    """Accepts only what rebuilds a NumPy array, by its names in NumPy 1 and 2."""

    _RECONSTRUCT = np.empty(0).__reduce__()[0]
    _KNOWN: dict[tuple[str, str], Any] = {  # noqa: RUF012 - typing.ClassVar would not make it more constant
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
        ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
        ("_codecs", "encode"): _encode,
    }

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return self._KNOWN[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"refused: it names {module_name}.{global_name}, which could run code; "
                "only arrays and plain values are read"
            ) from None
