import struct

import numpy as np
import pytest
import torch

from jobs.errors import BadInputError
from workers.data import load_dataset


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def write_all(folder):
    images = np.arange(20 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(20, 28, 28)
    labels = np.arange(20, dtype=np.uint8) % 10
    write_idx(folder / "train-images-idx3-ubyte", images)
    write_idx(folder / "train-labels-idx1-ubyte", labels)
    write_idx(folder / "t10k-images-idx3-ubyte", images[:5])
    write_idx(folder / "t10k-labels-idx1-ubyte", labels[:5])
    return images


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST/raw"), ("fashion-mnist", "FashionMNIST/raw")])
def test_files_are_read_as_torchvision_lays_them_out(tmp_path, name, folder):
    images = write_all(tmp_path / folder)
    data = load_dataset(name, str(tmp_path))
    assert data.input_shape == (1, 28, 28)
    assert data.validation.targets.tolist() == [8, 9]  # the last tenth of twenty
    assert torch.equal(data.test.images[:, 0], torch.from_numpy(images[:5]) / 255)


def test_the_root_may_be_the_raw_folder(tmp_path):
    write_all(tmp_path)
    assert len(load_dataset("mnist", str(tmp_path)).train) == 18


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[:-1], r"has 3919 bytes of data, but its header says \[5, 28, 28\]"),  # 5 * 784 - 1
        (lambda content: b"\x1f\x8b" + content, "is not an idx file of bytes in 3 dimensions; unpack"),
        (lambda content: content[:6], "is not an idx file"),
    ],
)
def test_damaged_files_are_named(tmp_path, change, said):
    write_all(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BadInputError, match=f"{path.name}: {said}"):
        load_dataset("mnist", str(tmp_path))
