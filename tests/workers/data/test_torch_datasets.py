import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from jobs.errors import BadInputError
from workers.data import from_torch

PIXELS = torch.arange(20 * 12, dtype=torch.uint8).reshape(20, 3, 2, 2)
LABELS = torch.arange(20) % 4


class Listed(list):
    """Samples by number that remembers which were read."""

    def __init__(self, samples):
        super().__init__(samples)
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


def test_a_dataset_of_torch_gives_images_and_targets():
    data = from_torch(train=TensorDataset(PIXELS, LABELS), test=TensorDataset(PIXELS[:5], LABELS[:5]), num_classes=4)
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 2, 5)
    assert (data.input_shape, data.num_classes) == ((3, 2, 2), 4)
    torch.testing.assert_close(data.test.read(torch.arange(5)), PIXELS[:5] / 255)
    assert data.validation.read_targets(torch.arange(2)).tolist() == [LABELS[9], LABELS[19]]


@pytest.mark.parametrize("make", [np.asarray, Image.fromarray])
def test_pictures_and_arrays_are_read_alike(make):
    samples = [
        (make(pixels.permute(1, 2, 0).numpy()), int(label)) for pixels, label in zip(PIXELS, LABELS, strict=True)
    ]
    image, target = from_torch(train=samples, test=samples, validation=samples).train.sample(3)
    torch.testing.assert_close(image, PIXELS[3] / 255)
    assert type(image) is torch.Tensor
    assert (target.item(), target.dtype) == (3, torch.int64)


def test_floating_point_stays_as_it_is():
    images = torch.randn(20, 1, 2, 2)
    data = from_torch(train=TensorDataset(images, LABELS), test=TensorDataset(images, LABELS))
    assert torch.equal(data.test.read(torch.arange(20)), images)


def test_a_sample_is_read_once_for_its_image_and_its_target():
    samples = Listed(list(zip(PIXELS, LABELS, strict=True)))
    data = from_torch(train=samples, test=samples, validation=samples)
    samples.read.clear()
    data.test.sample(4)
    assert samples.read == [4]


def test_an_image_is_drawn_anew_whatever_was_read_before():
    class Drawn:
        def __len__(self):
            return 20

        def __getitem__(self, index):
            draw = torch.rand(())
            return draw.expand(1, 2, 2), draw

    split = from_torch(train=Drawn(), test=Drawn()).test
    torch.manual_seed(0)
    expected = [image for image, _ in map(split.sample, (3, 1))]
    split.sample(3)
    torch.manual_seed(0)
    found = [split.sample(index) for index in (3, 1)]
    for (image, target), wanted in zip(found, expected, strict=True):
        assert torch.equal(image, wanted)
        assert (image == target).all()


def test_targets_are_read_without_images():
    samples = Listed(list(zip(PIXELS, LABELS, strict=True)))
    test = from_torch(train=samples, test=samples, validation=samples).test
    assert test.read_targets(torch.tensor([5, 5, 2])).tolist() == LABELS[[5, 5, 2]].tolist()


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([], "the training dataset is empty"),
        ([{"image": 1}], "sample 0 of the dataset is a dict; give a pair"),
        ([(torch.rand(8, 6), 1)], r"of train has shape \(8, 6\); networks take \(1, 8, 6\): image\[None\]"),
        (
            [(torch.rand(8, 6, 3), 1)],
            r"shape \(8, 6, 3\), with the channels last; networks take \(3, 8, 6\): image\.permute\(2, 0, 1\)",
        ),
        ([(torch.rand(2, 3, 8, 8), 1)], r"has shape \(2, 3, 8, 8\); `from_torch` is of images"),
        ([("a.png", 1)], "first sample of train has a str for its image; give a picture of Pillow"),
        ([(PIXELS[0], "cat")], "first sample of train has the target 'cat', a str; .* numbers from 0"),
    ],
)
def test_what_is_no_dataset_of_pairs_is_refused(samples, said):
    with pytest.raises(BadInputError, match=said):
        from_torch(train=samples, test=samples, validation=samples)


def test_many_channels_are_not_taken_for_channels_that_come_last():
    samples = [(torch.rand(64, 128, 1), 0)] * 2
    assert from_torch(train=samples, test=samples, validation=samples).input_shape == (64, 128, 1)


class Broken(Listed):
    """Samples of which one cannot be read."""

    def __getitem__(self, index):
        if index == 12:
            raise OSError("broken picture")
        return super().__getitem__(index)


def test_a_sample_that_cannot_be_read_is_named():
    samples = list(zip(PIXELS, LABELS, strict=True))
    data = from_torch(train=Broken(samples), test=samples)
    with pytest.raises(OSError, match="broken picture") as caught:
        data.train.sample(11)  # without the tenth sample
    assert caught.value.__notes__ == [f"in sample 12 of train ({__name__}.Broken)"]
