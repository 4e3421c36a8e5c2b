import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from jobs.errors import BadInputError
from workers.data import load_dataset

BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3072), dtype=np.uint8)  # six files of four images


def write_cifar10_binary(folder):
    folder.mkdir(parents=True)
    for number, name in enumerate(BATCHES):
        labels = np.full((4, 1), number, np.uint8)
        (folder / f"{name}.bin").write_bytes(np.hstack([labels, PIXELS[number]]).tobytes())


def write_cifar10_python(folder, protocol=2):
    folder.mkdir(parents=True)
    for number, name in enumerate(BATCHES):
        content = {b"data": PIXELS[number], b"labels": [number] * 4, b"batch_label": b"a batch"}
        (folder / name).write_bytes(pickle.dumps(content, protocol=protocol))


def assert_is_cifar10(data):
    # Twenty training images, of which the last tenth, two of file 5 (label 4), are kept for validation.
    assert data.train.targets.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 2
    assert data.validation.targets.tolist() == [4, 4]
    assert data.test.targets.tolist() == [5] * 4
    expected = torch.from_numpy(PIXELS[5].reshape(4, 3, 32, 32)) / 255
    assert torch.equal(data.test.images, expected)
    assert (data.num_classes, data.input_shape) == (10, (3, 32, 32))


def test_cifar10_is_read_from_the_binary_version_below_the_root(tmp_path):
    write_cifar10_binary(tmp_path / "cifar-10-batches-bin")
    assert_is_cifar10(load_dataset("cifar10", str(tmp_path)))


@pytest.mark.parametrize("protocol", [2, 4])
def test_cifar10_is_read_from_the_python_version_as_the_root(tmp_path, protocol):
    write_cifar10_python(tmp_path / "anywhere", protocol)
    assert_is_cifar10(load_dataset("cifar10", str(tmp_path / "anywhere")))


def test_a_pickle_of_numpy_1_is_read(tmp_path):
    # The published files name numpy.core.multiarray, which NumPy 2 calls numpy._core.multiarray.
    folder = tmp_path / "cifar-10-batches-py"
    write_cifar10_python(folder)
    for path in folder.iterdir():
        content = path.read_bytes()
        assert b"numpy._core.multiarray" in content
        path.write_bytes(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert_is_cifar10(load_dataset("cifar10", str(tmp_path)))


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_the_hostile_pickle_is_hostile(tmp_path):
    pickle.loads(pickle.dumps(Hostile(tmp_path / "run"), protocol=2))
    assert (tmp_path / "run").exists()


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, protocol):
    write_cifar10_python(tmp_path / "cifar-10-batches-py")
    evil = pickle.dumps({b"data": Hostile(tmp_path / "run"), b"labels": []}, protocol=protocol)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(evil)
    with pytest.raises(BadInputError, match=r"data_batch_3: .*refused: it names .*which could run code"):
        load_dataset("cifar10", str(tmp_path))
    assert not (tmp_path / "run").exists()


def test_a_hostile_pickle_of_cifar100_is_refused_and_not_run(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).write_bytes(pickle.dumps({b"data": Hostile(tmp_path / "run")}, protocol=2))
    with pytest.raises(BadInputError, match=r"train: .*refused: it names"):
        load_dataset("cifar100", str(tmp_path))
    assert not (tmp_path / "run").exists()


def test_a_damaged_pickle_is_the_users_whatever_it_raises(tmp_path):
    write_cifar10_python(tmp_path / "cifar-10-batches-py")
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"}K\x01a.")  # append to a dictionary
    with pytest.raises(BadInputError, match="data_batch_1: is not a batch of CIFAR's Python version"):
        load_dataset("cifar10", str(tmp_path))


def test_a_codec_that_inflates_is_refused(tmp_path):
    write_cifar10_python(tmp_path / "cifar-10-batches-py")
    evil = b"c_codecs\nencode\n(Vx\nVzlib_codec\ntR."
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(evil)
    with pytest.raises(BadInputError, match="refused: codec 'zlib_codec'"):
        load_dataset("cifar10", str(tmp_path))


def test_cifar100_has_its_fine_labels_in_both_versions(tmp_path):
    for part, number, times in (("train", 0, 3), ("test", 1, 1)):
        pixels, labels = np.tile(PIXELS[number], (times, 1)), [99, 98, 97, 96] * times
        coarse, fine = np.full((len(labels), 1), 7, np.uint8), np.array(labels, np.uint8)[:, None]
        (tmp_path / "cifar-100-binary").mkdir(exist_ok=True)
        (tmp_path / "cifar-100-binary" / f"{part}.bin").write_bytes(np.hstack([coarse, fine, pixels]).tobytes())
        (tmp_path / "python").mkdir(exist_ok=True)
        content = {b"data": pixels, b"coarse_labels": [7] * len(labels), b"fine_labels": labels}
        (tmp_path / "python" / part).write_bytes(pickle.dumps(content, protocol=2))
    for root in (tmp_path, tmp_path / "python"):
        data = load_dataset("cifar100", str(root))
        assert data.test.targets.tolist() == [99, 98, 97, 96]
        assert torch.equal(data.test.images, torch.from_numpy(PIXELS[1].reshape(4, 3, 32, 32)) / 255)
        assert data.num_classes == 100


def test_missing_files_are_listed_with_the_layouts_expected(tmp_path):
    write_cifar10_binary(tmp_path / "cifar-10-batches-bin")
    (tmp_path / "cifar-10-batches-bin" / "data_batch_2.bin").unlink()
    with pytest.raises(BadInputError) as caught:
        load_dataset("cifar10", str(tmp_path))
    said = str(caught.value)
    assert "cifar-10-batches-bin/ with data_batch_1.bin" in said
    assert "missing in" in said
    assert "cifar-10-batches-bin: data_batch_2.bin)" in said
    assert "or cifar-10-batches-py/ with" in said


def test_a_file_cut_off_is_named(tmp_path):
    write_cifar10_binary(tmp_path / "cifar-10-batches-bin")
    path = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadInputError, match=r"test_batch\.bin: has 12291 bytes; a multiple of 3073"):  # 4 * 3073 - 1
        load_dataset("cifar10", str(tmp_path))
