import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.attacks import PixelClassifier
from workers.inputs import call

NORMALIZED = ((0.5, 0.25), (0.5, 0.2))


@pytest.fixture
def two_channels():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 3))


def test_pixels_are_what_was_normalised(two_channels):
    pixels = torch.rand(5, 2, 2, 2)
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in NORMALIZED)
    images = (pixels - mean) / std
    classifier = PixelClassifier(two_channels, call, NORMALIZED)
    torch.testing.assert_close(classifier.pixels(images), pixels)
    torch.testing.assert_close(classifier(pixels), two_channels(images))


def test_without_normalisation_images_are_pixels(two_channels):
    pixels = torch.rand(5, 2, 2, 2)
    classifier = PixelClassifier(two_channels, call, None)
    assert torch.equal(classifier.pixels(pixels), pixels)
    assert torch.equal(classifier(pixels), two_channels(pixels))


def test_rounding_stays_within_the_range_of_pixels(two_channels):
    beyond = torch.tensor([-1e-7, 1 + 1e-6]).view(1, 1, 1, 2)
    assert PixelClassifier(two_channels, call, None).pixels(beyond).flatten().tolist() == [0, 1]


def test_images_that_are_no_pixels_are_refused(two_channels):
    normalised = torch.tensor([-1.9, 2.1]).view(1, 1, 1, 2)
    with pytest.raises(BadInputError, match=r"values from -1\.9 to 2\.1; let it give pixels"):
        PixelClassifier(two_channels, call, None).pixels(normalised)
