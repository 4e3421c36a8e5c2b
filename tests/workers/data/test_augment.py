import pytest
import torch

from jobs.errors import BadInputError
from workers.data import augmentation
from workers.data.augment import crop_flip


def windows(image):
    """All 81 crops of the padded image, and their mirror images."""
    padded = torch.nn.functional.pad(image, (4, 4, 4, 4))
    _, height, width = image.shape
    crops = [padded[:, y : y + height, x : x + width] for y in range(9) for x in range(9)]
    return [*crops, *(crop.flip(-1) for crop in crops)]


def test_every_result_is_a_crop_of_the_padded_image_or_its_mirror():
    images = torch.rand(20, 2, 6, 5, generator=torch.Generator().manual_seed(0))
    changed = crop_flip(images, torch.Generator().manual_seed(1))
    for image, result in zip(images, changed, strict=True):
        assert any(torch.equal(result, window) for window in windows(image))


def test_half_of_the_images_are_mirrored():
    # A horizontal ramp stays rising inside the image unless mirrored: 1,000 fair coins are within 450 and 550.
    ramp = torch.arange(1.0, 21).expand(1000, 1, 20, 20)
    middle = crop_flip(ramp, torch.Generator().manual_seed(0))[:, 0, 10, 9:11]
    assert 450 < int((middle[:, 0] > middle[:, 1]).sum()) < 550


def test_it_draws_from_the_generator_only():
    images = torch.rand(8, 1, 8, 8)
    before = torch.get_rng_state()
    first, second = (crop_flip(images, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())


def test_none_changes_nothing():
    images = torch.rand(2, 1, 3, 3)
    assert augmentation("none")(images, torch.Generator()) is images


def test_an_unknown_name_is_refused():
    with pytest.raises(BadInputError, match="did you mean 'crop-flip'"):
        augmentation("crop_flip")
