import numpy as np
import pytest
import torch
from PIL import Image

from jobs.errors import BadInputError
from workers.data import batches, load_dataset
from workers.data.from_datasets import load_datasets

datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")


def rows(count, **names):
    columns = {"image": "image", "label": "label", **names}
    pictures = [Image.fromarray(np.full((6, 9, 3), number, dtype=np.uint8)) for number in range(count)]
    kinds = {columns["image"]: datasets.Image(), columns["label"]: datasets.ClassLabel(names=["ant", "bee", "cow"])}
    content = {columns["image"]: pictures, columns["label"]: [number % 2 for number in range(count)]}
    return datasets.Dataset.from_dict(content, features=datasets.Features(kinds))


@pytest.fixture
def save(tmp_path):
    def save(**splits):
        datasets.DatasetDict(splits).save_to_disk(tmp_path / "saved")
        return str(tmp_path / "saved")

    return save


def test_rows_are_read_in_order_with_their_classes(save):
    root = save(train=rows(4), validation=rows(1), test=rows(2))
    data = load_dataset("huggingface", root, arguments={"size": 4}, workers=1)
    images, labels = next(batches(data.train, 9))
    assert images.shape == (4, 3, 4, 4)
    assert (images[:, 0, 0, 0] * 255).round().tolist() == [0, 1, 2, 3]
    assert labels.tolist() == [0, 1, 0, 1]
    assert (len(data.validation), len(data.test), data.num_classes) == (1, 2, 3)


def test_a_lone_validation_split_is_the_test_split(save):
    data = load_datasets(save(train=rows(10), validation=rows(1)), size=4)
    assert (len(data.train), len(data.validation), len(data.test)) == (9, 1, 1)


def test_columns_of_other_names_are_named(save):
    root = save(train=rows(2, image="img"), validation=rows(1, image="img"), test=rows(1, image="img"))
    assert load_datasets(root, size=4, image="img").train.images[1].max() == torch.tensor(1 / 255)
    with pytest.raises(BadInputError, match="there is no column 'image'"):
        load_datasets(root, size=4)
    with pytest.raises(BadInputError, match="column 'label' has int in row 0; a picture is needed"):
        load_datasets(root, size=4, image="label").train.images[0]


def test_pictures_of_16_bits_are_refused(save):
    wide = [Image.fromarray(np.full((6, 9), 400, dtype=np.uint16))]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    test = datasets.Dataset.from_dict({"image": wide, "label": [0]}, features=features)
    data = load_datasets(save(train=rows(2), validation=rows(1), test=test), size=4)
    with pytest.raises(BadInputError, match="row 0: has 16 bits per channel or more"):
        data.test.images[0]


@pytest.mark.parametrize("values", [["ant", "bee"], [1, None], [[0], [0, 1]], [0.5, 1.0]])
def test_a_column_without_whole_numbers_is_refused(save, values):
    test = datasets.Dataset.from_dict({"image": [None, None], "label": values})
    with pytest.raises(
        BadInputError, match=r"column 'label' has no whole numbers, the classes; .*data\.arguments\.label"
    ):
        load_datasets(save(train=rows(2), validation=rows(1), test=test), size=4)


def test_hidden_classes_are_refused(save):
    test = datasets.Dataset.from_dict({"image": [None, None], "label": [-1, -1]})
    with pytest.raises(BadInputError, match=r"has the class -1 in test, .* save the data set without it"):
        load_datasets(save(train=rows(2), validation=rows(1), test=test), size=4)


def test_a_repository_is_read_at_its_commit(monkeypatch):
    asked = []

    def load(*where, **how):
        asked.append((where, how))
        return {"train": rows(2), "validation": rows(1), "test": rows(1)}

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert len(load_datasets(f"hf://lab/ants@{'a' * 40}", size=4, config="small").train) == 2
    assert asked == [(("lab/ants", "small"), {"revision": "a" * 40})]


def test_what_cannot_be_read_is_told(save, tmp_path):
    with pytest.raises(BadInputError, match="has train; needed: train, and validation or test"):
        load_datasets(save(train=rows(2)))
    with pytest.raises(BadInputError, match="cannot be read: FileNotFoundError"):
        load_datasets(str(tmp_path))
