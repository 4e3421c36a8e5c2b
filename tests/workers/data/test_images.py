import random

import numpy as np
import pytest
import torch

from jobs.errors import BadInputError
from workers.data import ImageData, LazyInputs, LazyTensors, Split, batches, hide


class Squares:
    """Image i is one pixel of i, read one at a time; remembers which were read."""

    def __init__(self):
        self.read = []

    def __len__(self):
        return 5

    def __getitem__(self, index):
        self.read.append(index)
        return torch.full((1, 1, 1), float(index))


def five():
    return Split(images=torch.arange(5.0).view(5, 1, 1, 1), targets=torch.arange(5))


def test_batches_come_in_the_splits_own_order_and_the_last_is_short():
    assert [labels.tolist() for _, labels in batches(five(), 2)] == [[0, 1], [2, 3], [4]]


def test_batches_come_in_the_order_given_and_images_keep_their_labels():
    pairs = list(batches(five(), 2, order=torch.tensor([3, 0, 4, 2, 1])))
    assert [labels.tolist() for _, labels in pairs] == [[3, 0], [4, 2], [1]]
    assert torch.cat([images for images, _ in pairs]).flatten().tolist() == [3, 0, 4, 2, 1]


@pytest.mark.parametrize("kind", [torch.uint8, torch.int16, torch.int32, torch.uint16])
@pytest.mark.parametrize("lazy", [False, True])
def test_whole_numbers_of_any_type_are_classes(kind, lazy):
    targets = torch.arange(5).to(kind)
    split = Split(images=torch.zeros(5, 1, 1, 1), targets=list(targets) if lazy else targets)
    read = [labels for _, labels in batches(split, 2)]
    assert torch.equal(torch.cat(read), torch.arange(5))
    assert {each.dtype for each in (*read, split.sample(1)[1], split.read_targets(torch.arange(2)))} == {torch.int64}


@pytest.mark.parametrize("kind", [torch.float16, torch.bool])
def test_other_targets_keep_their_type(kind):
    split = Split(images=torch.zeros(5, 1, 1, 1), targets=torch.zeros(5, dtype=kind))
    assert {labels.dtype for _, labels in batches(split, 2)} == {split.sample(1)[1].dtype} == {kind}


def test_only_what_the_order_names_is_read():
    images = Squares()
    split = Split(images=images, targets=torch.arange(5))
    assert [labels.tolist() for _, labels in batches(split, 2, order=torch.tensor([4, 1, 2])[1:])] == [[1, 2]]
    assert images.read == [1, 2]
    assert list(batches(split, 2, order=torch.tensor([], dtype=torch.int64))) == []


def test_lazy_images_are_read_when_their_batch_is_asked_for():
    images = Squares()
    assert isinstance(images, LazyTensors)
    first, _ = next(batches(Split(images=images, targets=torch.arange(5)), 2))
    assert images.read == [0, 1]
    assert first.flatten().tolist() == [0, 1]


class Sized:
    """Images of one row, whose widths are given."""

    def __init__(self, widths):
        self.widths = widths

    def __len__(self):
        return len(self.widths)

    def __getitem__(self, index):
        return torch.full((1, 1, self.widths[index]), float(index))


def test_a_batch_ends_where_the_shape_changes():
    split = Split(images=Sized([2, 2, 3, 2, 2, 2]), targets=torch.arange(6))
    assert [labels.tolist() for _, labels in batches(split, 2)] == [[0, 1], [2], [3, 4], [5]]
    with pytest.raises(BadInputError, match=r"different shapes, such as \(1, 1, 2\) and \(1, 1, 3\)"):
        split.read(torch.tensor([1, 2]))


class Drawing:
    """Images that are drawn at random, from the generators that a data set may draw from."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        return torch.tensor([[[index, torch.rand(()), np.random.rand(), random.random()]]])  # noqa: NPY002


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_data_set_draws_depends_on_the_sample_alone(workers):
    here = torch.cat([images for images, _ in batches(Split(images=Drawing(), targets=torch.arange(40)), 8)])
    assert (here.unique(dim=0).shape, here[0, 0, 0, 1:].unique().shape) == ((40, 1, 1, 4), (3,))
    torch.rand(3), np.random.rand(3)  # noqa: NPY002
    split = Split(images=Drawing(), targets=torch.arange(40), workers=workers)
    before, elsewhere = torch.get_rng_state(), []
    order = torch.arange(39, -1, -1)
    found = []
    for images, _ in batches(split, 7, order=order):
        found.append(images)
        elsewhere.append(torch.rand(()))
    assert torch.equal(torch.cat(found), here[order])
    torch.set_rng_state(before)
    assert elsewhere == [torch.rand(()) for _ in elsewhere]


@pytest.mark.parametrize("name", ["int8", "set/5", ""])
def test_a_test_set_has_a_name_that_a_metric_may_have(name):
    split = five()
    with pytest.raises(BadInputError, match="test set named"):
        ImageData(train=split, validation=split, test=split, input_shape=(1, 1, 1), test_sets={name: split})


@pytest.mark.parametrize("images", [Squares(), torch.arange(5.0).view(5, 1, 1, 1)])
def test_a_selection_is_in_the_order_asked_for(images):
    selected = Split(images=images, targets=torch.arange(5)).select(torch.tensor([3, 1])).select(torch.tensor([1, 0]))
    read, labels = next(batches(selected, 9))
    assert labels.tolist() == [1, 3]
    assert read.flatten().tolist() == [1, 3]


def test_a_split_needs_a_label_per_image():
    with pytest.raises(BadInputError, match="5 images but 4 targets"):
        Split(images=Squares(), targets=torch.arange(4))


def test_a_batch_needs_a_sample():
    with pytest.raises(BadInputError, match="batch_size is 0"):
        next(batches(five(), 0))


def test_targets_of_any_kind_go_with_their_images():
    maps = torch.arange(20).view(5, 2, 2)
    selected = Split(images=five().images, targets=maps).select(torch.tensor([4, 0]))
    (_, first), (_, second) = batches(selected, 1)
    assert (first.tolist(), second.tolist()) == ([maps[4].tolist()], [maps[0].tolist()])


def test_targets_are_read_when_they_are_asked_for():
    split = Split(images=five().images, targets=Squares()).select(torch.tensor([3, 1]))
    (_, targets) = next(batches(split, 2))
    assert torch.equal(targets, torch.stack([Squares()[3], Squares()[1]]))


@pytest.mark.parametrize(
    ("targets", "hidden"),
    [
        (torch.arange(5), torch.full((5,), -1)),
        (torch.zeros(5, 2, dtype=torch.uint8), torch.full((5, 2), -1)),
        (torch.rand(5, 1, 2, 2), torch.full((5, 1, 2, 2), torch.nan)),
    ],
)
def test_hidden_targets_say_nothing_and_keep_their_shape(targets, hidden):
    assert torch.equal(hide(targets).nan_to_num(7), hidden.nan_to_num(7))
    split = Split(images=five().images, targets=targets).without_targets()
    assert torch.equal(split.read_targets(torch.arange(5)).nan_to_num(7), hidden.nan_to_num(7))
    assert len(split) == 5


def test_a_split_without_images_can_hide_its_targets_too():
    assert len(Split(images=torch.rand(0, 1, 1, 1), targets=torch.zeros(0, 3)).without_targets()) == 0


LEFT, RIGHT = torch.arange(10.0).view(5, 2), torch.arange(5)


class Pairs:
    """The same two tensors, sample by sample."""

    def __init__(self, form):
        self.form = form

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return self.form(LEFT[index], RIGHT[index])


def by_name(left, right):
    return {"left": left, "right": right}


def by_place(left, right):
    return left, right


@pytest.mark.parametrize("form", [by_name, by_place])
@pytest.mark.parametrize("lazy", [False, True])
def test_each_tensor_of_a_tuple_or_a_mapping_is_read_in_batches(form, lazy):
    images = Pairs(form) if lazy else form(LEFT, RIGHT)
    assert isinstance(images, LazyInputs)
    split = Split(images=images, targets=torch.arange(5)).select(torch.tensor([4, 0, 2]))
    found = [inputs for inputs, _ in batches(split, 2)]
    assert len(found) == 2
    expected = form(LEFT[[4, 0]], RIGHT[[4, 0]])
    for inputs in (found[0], split.read(torch.arange(2))):
        assert type(inputs) is type(expected)
        assert str(inputs) == str(expected)


def test_several_inputs_are_those_of_the_first_training_sample():
    split = Split(images=by_name(LEFT, RIGHT), targets=RIGHT)
    data = ImageData(train=split, validation=split, test=split)
    assert str(data.inputs) == "2 inputs (left: shape (2,); right: shape () of int64)"
    with pytest.raises(BadInputError, match="the data gives 2 tensors a sample and has the input_shape"):
        ImageData(train=split, validation=split, test=split, input_shape=(1, 1, 2))
    with pytest.raises(BadInputError, match="of 4, 5 samples"):
        Split(images=(LEFT, RIGHT[:4]), targets=RIGHT)
