"""MNIST and Fashion-MNIST from idx files, laid out as torchvision lays them out.

Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database"; H. Xiao et al., arXiv:1708.07747.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from jobs.errors import BadInputError
from workers.data.files import data_root, find_layout, from_pixels
from workers.data.images import ImageData

_FILES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def load_mnist(root: str | None) -> ImageData:
    """MNIST: 54,000 training, 6,000 validation and 10,000 test images of 28 x 28 pixels, one channel.

    Args:
        root: Holds `MNIST/raw` with the four idx files, unpacked, or is that folder.

    Raises:
        BadInputError: Files are missing or damaged.
    """
    return _load("mnist", root, "MNIST/raw")


def load_fashion_mnist(root: str | None) -> ImageData:
    """Fashion-MNIST, in the sizes and splits of MNIST.

    Args:
        root: Holds `FashionMNIST/raw` with the four idx files, unpacked, or is that folder.

    Raises:
        BadInputError: Files are missing or damaged.
    """
    return _load("fashion-mnist", root, "FashionMNIST/raw")


def _load(name: str, root: str | None, layout: str) -> ImageData:
    _, folder = find_layout(name, data_root(name, root), {layout: _FILES})
    images, labels, test_images, test_labels = (
        _read_idx(folder / file, num_dimensions=3 if "images" in file else 1) for file in _FILES
    )
    return from_pixels(
        train=(images.unsqueeze(1), labels), test=(test_images.unsqueeze(1), test_labels), num_classes=10
    )


def _read_idx(path: Path, *, num_dimensions: int) -> UInt8[Tensor, "*shape"]:
    """Two zero bytes, the type (8: unsigned byte), the number of dimensions, each as a big-endian uint32, the bytes."""
    content = path.read_bytes()
    start = 4 + 4 * num_dimensions
    if content[:4] != bytes([0, 0, 8, num_dimensions]) or len(content) < start:
        raise BadInputError(
            f"{path}: is not an idx file of bytes in {num_dimensions} dimensions; unpack or fetch it again"
        )
    shape = [int(size) for size in np.frombuffer(content, dtype=">u4", count=num_dimensions, offset=4)]
    if len(content) - start != np.prod(shape):
        raise BadInputError(
            f"{path}: has {len(content) - start} bytes of data, but its header says {shape}; fetch it again"
        )
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8, offset=start).copy()).view(shape)
