import pytest
import torch

from jobs.errors import BadInputError
from workers.data import LazyImages, Split, batches


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
    return Split(images=torch.arange(5.0).view(5, 1, 1, 1), labels=torch.arange(5))


def test_batches_come_in_order_without_a_generator_and_the_last_is_short():
    assert [labels.tolist() for _, labels in batches(five(), 2)] == [[0, 1], [2, 3], [4]]


def test_batches_are_shuffled_with_a_generator_and_images_keep_their_labels():
    generator = torch.Generator().manual_seed(1)
    pairs = list(batches(five(), 2, generator=generator))
    order = torch.cat([labels for _, labels in pairs]).tolist()
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert order != [0, 1, 2, 3, 4]
    assert torch.cat([images for images, _ in pairs]).flatten().tolist() == order


def test_shuffling_draws_from_the_generator_only():
    before = torch.get_rng_state()
    first, second = (
        [labels.tolist() for _, labels in batches(five(), 5, generator=torch.Generator().manual_seed(7))]
        for _ in range(2)
    )
    assert first == second
    assert torch.equal(before, torch.get_rng_state())


def test_lazy_images_are_read_when_their_batch_is_asked_for():
    images = Squares()
    assert isinstance(images, LazyImages)
    first, _ = next(batches(Split(images=images, labels=torch.arange(5)), 2))
    assert images.read == [0, 1]
    assert first.flatten().tolist() == [0, 1]


@pytest.mark.parametrize("images", [Squares(), torch.arange(5.0).view(5, 1, 1, 1)])
def test_a_selection_is_in_the_order_asked_for(images):
    selected = Split(images=images, labels=torch.arange(5)).select(torch.tensor([3, 1])).select(torch.tensor([1, 0]))
    read, labels = next(batches(selected, 9))
    assert labels.tolist() == [1, 3]
    assert read.flatten().tolist() == [1, 3]


def test_a_split_needs_a_label_per_image():
    with pytest.raises(BadInputError, match="5 images but 4 labels"):
        Split(images=Squares(), labels=torch.arange(4))


def test_a_batch_needs_a_sample():
    with pytest.raises(BadInputError, match="batch_size is 0"):
        next(batches(five(), 0))
