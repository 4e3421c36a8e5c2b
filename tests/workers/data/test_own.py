from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from jobs.errors import BadInputError
from workers.data import ImageData, Split
from workers.data.own import check_filled, check_own, check_pairs

IMAGES = torch.rand(4, 3, 5, 6)
LABELS = torch.zeros(4, dtype=torch.int64)
SOME = Split(images=IMAGES, targets=LABELS)
NONE = torch.arange(0)


def data_of(images=IMAGES, targets=LABELS, shape=(3, 5, 6), **others):
    split = Split(images=images, targets=targets)
    return ImageData(train=split, validation=split, test=split, input_shape=shape, **others)


class Lazy(list):
    pass


def test_what_fits_is_let_through():
    check_own(data_of(), "data")
    check_own(data_of((torch.zeros(4, 2, dtype=torch.int64), IMAGES), shape=None), "data")
    larger = Split(images=torch.rand(2, 3, 9, 9), targets=LABELS[:2])
    check_own(data_of(test_sets={"large": larger}), "data")  # only training images have to have the shape


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"images": (IMAGES * 255).to(torch.uint8)},
            r"first sample of train is of type torch\.uint8; .*image\.float\(\) / 255",
        ),
        ({"images": IMAGES.double()}, r"of type torch\.float64; networks take torch\.float32"),
        (
            {"images": IMAGES.permute(0, 2, 3, 1)},
            r"channels last; networks take \(3, 5, 6\): image\.permute\(2, 0, 1\)",
        ),
        ({"shape": (3, 32, 32)}, r"has shape \(3, 5, 6\), and the data set says input_shape=\(3, 32, 32\)"),
        ({"shape": (1, 5, 6)}, r"has shape \(3, 5, 6\), and the data set says input_shape=\(1, 5, 6\)"),
        ({"images": Lazy([np.zeros((3, 5, 6))] * 4)}, r"is a numpy\.ndarray; give a torch tensor: torch\.from_numpy"),
        ({"targets": Lazy([1] * 4)}, r"has the target 1, a int; give a tensor"),
    ],
)
def test_what_does_not_fit_is_said_with_its_remedy(given, said):
    with pytest.raises(BadInputError, match=said):
        check_own(data_of(**given), "data 'my_lab.data:mine'")


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        (DataLoader([(IMAGES[0], 1)]), r"test is a DataLoader, .*: give loader\.dataset"),
        (iter(IMAGES), "test is a .*iterator; give a dataset that has __len__ and __getitem__"),
    ],
)
def test_what_is_not_read_by_number_is_no_dataset(dataset, said):
    with pytest.raises(BadInputError, match=said):
        check_pairs("test", dataset)


@pytest.mark.parametrize(
    ("empty", "said"),
    [
        ({"train": SOME.select(NONE)}, "data: train is empty; give train at least one sample"),
        (
            {"validation": SOME.select(NONE)},
            "data: validation is empty: every tenth of 4 training samples is none; give at least 10 of these",
        ),
        ({"test": SOME.select(NONE)}, "data: test is empty"),
        ({"test_sets": {"far": SOME.select(NONE)}}, "data: test set 'far' is empty"),
    ],
)
def test_an_empty_split_is_named(empty, said):
    with pytest.raises(BadInputError, match=said):
        check_filled(replace(data_of(), **empty), "data")
