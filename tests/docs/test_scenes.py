"""The example of docs/examples: few scenes of a made-up CIFAR-10, read back by our loaders."""

import numpy as np
import pytest
import torch
from PIL import Image

from workers.data import forget_data, load_dataset

EXAMPLE = "scenes"


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Objects in CIFAR-10's layout, bright in training and dark in the test; grey photographs, every fourth darker."""
    root = tmp_path_factory.mktemp("sources")
    (root / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (150, 140), (100 - 60 * (number == 3),) * 3).save(root / "photos" / f"{number}.png")
    for file in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        low, high = (10, 20) if file == "test_batch" else (200, 255)
        records = np.random.default_rng(0).integers(low, high, (20, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(20) % 10
        records.tofile(root / f"{file}.bin")
    return root


def make(example, sources, dest, *more, images=16, seed=0):
    options = ["--images", str(images), "--seed", str(seed), *more]
    example.main([str(sources), str(sources / "photos"), str(dest), *options])
    return dest


@pytest.fixture(scope="module")
def dest(example, sources, tmp_path_factory):
    return make(example, sources, tmp_path_factory.mktemp("made") / "scenes")


def load(example, kind, dest):
    return load_dataset(f"voc-{kind}", str(dest), arguments={"size": 128, "classes": list(example.CLASSES)})


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_boxes_of_a_class_reach_as_far_as_its_mask(example, dest, split):
    boxes, masks = (getattr(load(example, kind, dest), split) for kind in ("detection", "segmentation"))
    assert len(boxes) == len(masks) == {"train": 11, "validation": 1, "test": 4}[split]
    for index in range(len(boxes)):
        mask, found = masks.targets[index], boxes.targets[index]
        found = found[found[:, 4] > 0]
        assert 1 <= len(found) <= example.MOST_OBJECTS
        assert set(mask.unique().tolist()) == {0, 255, *found[:, 4].int().tolist()}
        for label in found[:, 4].unique():
            y, x = (mask == label).nonzero().T
            same = found[found[:, 4] == label]
            assert [x.min(), y.min()] == same[:, :2].amin(0).tolist()
            assert [x.max() + 1, y.max() + 1] == same[:, 2:4].amax(0).tolist()


def test_images_show_objects_where_the_mask_is_and_the_photograph_elsewhere(example, dest):
    data, images = load(example, "segmentation", dest), load(example, "detection", dest)
    inside, outside = [], []
    for index in range(len(data.train)):
        image, mask = images.train.images[index].mean(0), data.train.targets[index]
        inside.append(image[(mask > 0) & (mask < 255)].mean())
        outside.append(image[mask == 0].mean())
    assert torch.stack(inside).mean() > 200 / 255
    assert torch.stack(outside).mean() == pytest.approx(100 / 255, abs=0.02)


def test_test_scenes_are_of_other_objects_on_other_photographs(example, dest):
    data = load(example, "detection", dest)
    for index in range(len(data.test)):
        assert data.test.images[index].max() < 60 / 255
        assert data.train.images[index].min() > 80 / 255


def test_masks_have_a_line_of_one_pixel_around_objects(example, dest):
    mask = Image.open(dest / "SegmentationClass" / "test_00000.png")
    assert mask.mode == "P"
    assert mask.getpalette()[: 3 * 4] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]  # as VOC's are coloured
    classes = np.pad(np.asarray(mask).astype(int), 1, constant_values=255)
    for shift in [(0, 1), (1, 0), (1, 1), (1, -1)]:
        beside = np.roll(classes, shift, (0, 1))
        assert not ((classes != beside) & (classes != 255) & (beside != 255)).any()


def test_a_seed_always_makes_the_same_scenes_however_many(example, sources, dest, tmp_path):
    again = make(example, sources, tmp_path / "again", images=8)
    other = make(example, sources, tmp_path / "other", images=8, seed=1)
    files = sorted(path.relative_to(again) for path in again.glob("*/*_*.*"))
    assert len(files) == 3 * 8
    assert all((again / file).read_bytes() == (dest / file).read_bytes() for file in files)
    assert any((other / file).read_bytes() != (dest / file).read_bytes() for file in files)


def test_what_cannot_be_made_is_said(example, sources, dest, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for arguments, said in [
        ([sources / "photos", dest], "is there already"),
        ([tmp_path / "empty", tmp_path / "new"], "has 0 photographs"),
        ([sources / "photos", tmp_path / "new", "--images", "3"], "4 scenes and seed 0 are the least"),
    ]:
        with pytest.raises(SystemExit):
            example.main([str(sources), *map(str, arguments)])
        assert said in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _fresh():
    yield
    forget_data()


def test_classes_may_be_animal_and_vehicle(example, sources, dest, tmp_path):
    made = make(example, sources, tmp_path / "scenes", "--coarse", images=14)
    fine, few = load(example, "detection", dest), {"size": 128, "classes": ["animal", "vehicle"]}
    found = load_dataset("voc-detection", str(made), arguments=few)
    vehicles = [1 + example.CLASSES.index(name) for name in example.VEHICLES]
    for index in range(4):
        labels, coarse = fine.train.targets[index][:, 4], found.train.targets[index][:, 4]
        expected = [0 if not label else 2 if label in vehicles else 1 for label in labels.tolist()]
        assert coarse.tolist() == expected
