import io
import json
import tarfile

import fsspec
import numpy as np
import pytest
import torch
from PIL import Image

from jobs.errors import BadInputError
from workers.data import batches, forget_data, load_dataset
from workers.data.feed import Feed, by_parts
from workers.data.image_pairs import CACHE_FOLDER
from workers.data.pipeline import Pipeline
from workers.data.shards import make_index


def picture(number):
    buffer = io.BytesIO()
    Image.fromarray(np.full((6, 9, 3), number, dtype=np.uint8)).save(buffer, format="png")
    return buffer.getvalue()


def write(path, numbers, *, label=lambda number: f"{number % 3}\n".encode(), kind="png"):
    with tarfile.open(path, "w") as archive:
        for number in numbers:
            for ending, content in ((kind, picture(number)), ("cls", label(number)), ("json", b"{}")):
                member = tarfile.TarInfo(f"photos/{number:04}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def root(tmp_path):
    """Twelve training images in three shards, two others; a picture's colour is its number."""
    for shard in range(3):
        write(tmp_path / f"train-{shard}.tar", range(4 * shard, 4 * shard + 4))
    write(tmp_path / "val-0.tar", [20])
    write(tmp_path / "test-0.tar", [30])
    return tmp_path


def load(root, **arguments):
    return load_dataset("webdataset", str(root), arguments={"num_classes": 3, "size": 4, **arguments})


def test_samples_are_read_in_order_with_their_classes(root):
    data = load(root)
    images, labels = next(batches(data.train, 100))
    assert images.shape == (12, 3, 4, 4)
    assert (images[:, 0, 0, 0] * 255).round().tolist() == list(range(12))
    assert labels.tolist() == [number % 3 for number in range(12)]
    assert [int(split.targets[0]) for split in (data.validation, data.test)] == [20 % 3, 30 % 3]
    assert (data.num_classes, data.input_shape) == (3, (3, 4, 4))


def test_a_shard_that_was_written_anew_is_read_anew(root):
    load(root).train.images[0]
    forget_data()
    (root / "train-0.tar").unlink()  # as by a rename: who has it open still reads the old one
    write(root / "train-0.tar", range(40, 44))
    assert round(255 * float(load(root).train.images[0][0, 0, 0])) == 40


def test_a_lone_val_is_the_test_split(root):
    (root / "test-0.tar").unlink()
    data = load(root)
    assert (len(data.train), len(data.validation), len(data.test)) == (11, 1, 1)
    assert data.train.parts.tolist() == [0] * 4 + [1] * 4 + [2] * 3


def test_shards_in_an_object_store_are_fetched_by_their_index_and_kept(root, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_FOLDER, str(tmp_path / "cache"))
    store = fsspec.filesystem("memory")
    for path in root.glob("*.tar"):
        store.pipe(f"/photos/{path.name}", path.read_bytes())
    store.pipe("/photos/index.json", json.dumps(make_index(root)).encode())
    found = load("memory://photos/index.json")
    assert not (tmp_path / "cache").exists()  # nothing is fetched before it is read
    assert torch.equal(found.train.images[5], load(root).train.images[5])
    assert int(found.train.targets[5]) == 2
    assert len([each for each in (tmp_path / "cache").rglob("*/*") if each.suffix != ".lock"]) == 1


def test_training_goes_through_few_shards_at_a_time():
    parts = torch.arange(40) // 4
    drawn = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    order = drawn[by_parts(parts[drawn], at_once=2)]
    assert sorted(order.tolist()) == list(range(40))
    for window in order.split(8):
        assert len(set(parts[window].tolist())) == 2
        assert window.tolist() != sorted(window.tolist())
    assert torch.equal(drawn[by_parts(parts[drawn], at_once=10)], drawn)


def test_the_order_of_a_feed_is_by_shards_and_by_drawing_elsewhere(root):
    split, drawn = load(root).train, torch.tensor([11, 0, 4, 1])
    assert torch.equal(Feed(split, Pipeline(), device="cpu").order(drawn), drawn)  # three are mixed anyway


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: (root / "train-1.tar").write_bytes(b"x" * 2000), "cannot be read as a tar file"),
        (lambda root: write(root / "train-0.tar", [0], label=lambda _: b"cat"), r"has no whole number as .*0000\.cls"),
        (lambda root: write(root / "train-0.tar", [0], kind="gif"), "has gif, cls, json; one of jpg, jpeg, png"),
        (lambda root: [each.unlink() for each in root.glob("train*")], "has val, test; needed: train"),
    ],
)
def test_what_cannot_be_read_is_told(root, spoil, said):
    spoil(root)
    with pytest.raises(BadInputError, match=said):
        next(batches(load(root).train, 1))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[]", "is no index; write it with"),
        (b"{", "cannot be read"),
        (b'{"train": {"train-0.tar": 5}}', "is no index"),
    ],
)
def test_an_index_that_is_none_is_told(root, content, said):
    (root / "index.json").write_bytes(content)
    with pytest.raises(BadInputError, match=said):
        load(root / "index.json")


def test_a_shard_of_another_length_is_told(root):
    index = {**make_index(root), "train": {"train-0.tar": {"samples": 5, "fingerprint": "a"}}}
    (root / "index.json").write_text(json.dumps(index))
    with pytest.raises(BadInputError, match=r"train-0\.tar: has 4 samples, but the index says 5"):
        load(root / "index.json").train.images[0]
