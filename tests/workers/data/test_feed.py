import random

import numpy as np
import pytest
import torch

from jobs.errors import BadInputError
from workers.data import Split, batches, seeding
from workers.data.augment import crop_flip, of_images
from workers.data.feed import Feed
from workers.data.pipeline import Pipeline

ORDER = torch.tensor([3, 0, 9, 1, 2, 7, 4, 8, 5, 6])


class Drawing:
    """Images that are their number and a draw from each generator that a user's data set may use."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return torch.tensor([[[index, torch.rand(()), np.random.rand(), random.random()]]])  # noqa: NPY002


def noise(images, targets, generator):
    return images + torch.rand(images.shape, generator=generator), targets


NOISY = Pipeline(names=("noise",), single=(noise,))
LAZY = Split(images=Drawing(), targets=torch.arange(10))
HELD = Split(images=torch.arange(160.0).view(10, 1, 4, 4), targets=torch.arange(10))


def read(split, pipeline=NOISY, *, order=ORDER, workers=0, seed=5):
    feed = Feed(Split(images=split.images, targets=split.targets, workers=workers), pipeline, device="cpu")
    return [batch for _ in range(2) for batch in feed.batches(order, 4, seed=seed)][-3:]  # the processes are kept


def assert_same(found, expected):
    assert len(found) == len(expected)
    for (images, targets), (others, other_targets) in zip(found, expected, strict=True):
        assert torch.equal(images, others)
        assert torch.equal(targets, other_targets)


def test_samples_come_in_order_and_in_batches():
    found = read(LAZY)
    assert [len(targets) for _, targets in found] == [4, 4, 2]
    assert torch.equal(torch.cat([targets for _, targets in found]), ORDER)
    assert len({tuple(image.flatten()[1:].tolist()) for images, _ in found for image in images}) == 10  # all differ


@pytest.mark.parametrize("split", [LAZY, HELD], ids=["lazy", "held"])
def test_samples_are_the_same_whatever_the_processes_and_the_rest_of_an_epoch_is_its_rest(split):
    here = read(split)
    assert_same(read(split, workers=2), here)
    feed = Feed(Split(images=split.images, targets=split.targets, workers=1), NOISY, device="cpu")
    assert_same(list(feed.batches(ORDER[4:], 4, seed=5)), here[1:])
    assert not torch.equal(read(split, seed=6)[0][0], here[0][0])


@pytest.mark.parametrize(
    ("split", "pipeline"),
    [
        (LAZY, NOISY),
        (HELD, Pipeline()),
        (HELD, Pipeline(names=("crop-flip",), batch=(of_images(crop_flip),))),
    ],
    ids=["lazy", "held", "augmented together"],
)
def test_shares_of_the_batches_are_together_the_batches(split, pipeline):
    def batches(*taken):
        feed, generator = Feed(split, pipeline, device="cpu", **dict(taken)), torch.Generator().manual_seed(0)
        return [feed.augment(*each, generator) for each in feed.batches(ORDER, 4, seed=5)]

    halves = [lambda n: slice(0, n // 2), lambda n: slice(n // 2, n)]
    first, second = (batches(("taken", half)) for half in halves)
    for whole, one, other in zip(batches(), first, second, strict=True):
        for together, left, right in zip(whole, one, other, strict=True):
            assert torch.equal(together, torch.cat([left, right]))


@pytest.mark.parametrize("workers", [0, 1])
def test_the_global_generators_are_left_as_they_were(workers):
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    read(LAZY, workers=workers)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]
    with seeding.global_generators_kept():  # elsewhere checks of types draw from Python's
        found = random.getstate()
        seeding.seed_global_generators(1)
    assert random.getstate() == found


def test_images_in_memory_are_augmented_in_batches_by_the_generator():
    feed = Feed(HELD, Pipeline(names=("crop-flip",), batch=(of_images(crop_flip),)), device="cpu")
    generator, same = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    for (images, targets), indices in zip(feed.batches(ORDER, 4, seed=0), ORDER.split(4), strict=True):
        assert torch.equal(images, HELD.images[indices])
        assert torch.equal(feed.augment(images, targets, generator)[0], crop_flip(HELD.images[indices], same))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_sample_is_told_in_the_same_words(workers):
    class Damaged(Drawing):
        def __getitem__(self, index):
            raise BadInputError(f"image {index} is damaged")

    feed = Feed(Split(images=Damaged(), targets=torch.arange(10), workers=workers), Pipeline(), device="cpu")
    with pytest.raises(BadInputError, match=r"^image 3 is damaged$"):
        list(feed.batches(ORDER, 5, seed=0))


def test_several_tensors_are_not_augmented():
    split = Split(images=(HELD.images, HELD.images), targets=HELD.targets)
    assert len(list(Feed(split, Pipeline(), device="cpu").batches(ORDER, 5, seed=0))) == 2
    pipeline = Pipeline(names=("noise",), batch=(noise,))
    with pytest.raises(BadInputError, match="augment: noise changes one tensor of images, and the data gives 2 inputs"):
        Feed(split, pipeline, device="cpu").augment(split.images, split.targets, torch.Generator())
    with pytest.raises(BadInputError, match="augment: noise changes one tensor"):
        list(Feed(split, NOISY, device="cpu").batches(ORDER, 5, seed=0))


class OfTwoShapes(Drawing):
    def __len__(self):
        return 40

    def __getitem__(self, index):
        return torch.full((1, 2 + (index in range(5, 30)), 2), float(index))


@pytest.mark.parametrize("images", [OfTwoShapes(), [torch.full((1, 2, 2), float(index)) for index in range(40)]])
def test_an_evaluation_sees_the_same_batches_whatever_the_processes(images):
    here, ahead = (Split(images=images, targets=torch.arange(40), workers=workers) for workers in (0, 2))
    assert_same(list(batches(ahead, 7)), list(batches(here, 7)))
