import pytest
import torch

from jobs.errors import BadInputError
from workers.data.augment import crop_flip, flip_turn, resized_crop_flip
from workers.objectives.classification import objective


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


@pytest.mark.parametrize("name", ["crop-flip", "flip", "resized-crop-flip"])
def test_it_draws_from_the_generator_only(name):
    images = torch.rand(8, 1, 8, 8)
    before = torch.get_rng_state()
    augment, labels = objective().augmentation(name), torch.arange(8)
    (first, kept), (second, _) = (augment(images, labels, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert kept is labels
    assert torch.equal(before, torch.get_rng_state())


def test_an_unknown_name_is_refused():
    with pytest.raises(BadInputError, match="did you mean 'crop-flip'"):
        objective().augmentation("crop_flip")


def ramps(n, height=48, width=40):
    """Images whose two channels are each pixel's row and column, counted from the edges at 0."""
    rows = (torch.arange(height) + 0.5).view(1, 1, -1, 1).expand(n, 1, -1, width)
    columns = (torch.arange(width) + 0.5).view(1, 1, 1, -1).expand(n, 1, height, -1)
    return torch.cat([rows, columns], 1)


def parts(n=2000):
    """What was cut out of each image: height, width and whether it was mirrored. Ramps stay linear when scaled."""
    changed = resized_crop_flip(ramps(n), torch.Generator().manual_seed(0))
    inside = changed[:, :, 12:36, 10:30]
    rise = (inside[:, 0, -1] - inside[:, 0, 0]).mean(-1) / 23
    run = (inside[:, 1, :, -1] - inside[:, 1, :, 0]).mean(-1) / 19
    return rise * 48, run.abs() * 40, run < 0


def test_parts_have_the_area_and_the_ratio_that_the_paper_says():
    height, width, _ = parts()
    area, ratio = height * width / (48 * 40), width / height
    assert 0.07 < area.min() < 0.12
    assert area.max() > 0.9
    assert ratio.min() > 0.65
    assert ratio.max() < 1.5
    assert height.max() <= 48.01
    assert width.max() <= 40.01
    # Areas are uniform but for large parts, which often do not fit.
    assert 0.4 < float((area < 0.54).float().mean()) < 0.75


def test_resized_parts_are_anywhere_and_half_of_them_mirrored():
    changed = resized_crop_flip(ramps(2000), torch.Generator().manual_seed(0))
    assert changed[:, 0].amin() < 1.5
    assert changed[:, 0].amax() > 46.5
    assert changed[:, 1].amin() < 1.5
    assert changed[:, 1].amax() > 38.5
    assert 900 < int(parts()[2].sum()) < 1100


def test_a_resized_part_is_what_cropping_and_scaling_gives(monkeypatch):
    monkeypatch.setattr("workers.data.augment._AREA", (0.25, 0.25))
    monkeypatch.setattr("workers.data.augment._RATIO", (1.0, 1.0))
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    result = resized_crop_flip(image, torch.Generator().manual_seed(2))[:, :, 2:-2, 2:-2]  # the rim sees its neighbours
    crops = [image[:, :, y : y + 8, x : x + 8] for y in range(9) for x in range(9)]
    scaled = [torch.nn.functional.interpolate(crop, size=(16, 16), mode="bilinear") for crop in crops]
    mirrored = [each.flip(-1) for each in scaled]
    assert min(float((result - each[:, :, 2:-2, 2:-2]).abs().max()) for each in scaled + mirrored) < 1e-5


def ways(image):
    """The image, its mirror images and their quarter turns."""
    return [each.rot90(turns, (1, 2)) for each in (image, image.flip(2)) for turns in range(4)]


def test_image_and_target_are_mirrored_and_turned_together_one_of_eight_ways():
    images = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)).expand(800, -1, -1, -1)
    targets = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    before = torch.get_rng_state()
    moved, moved_targets = flip_turn(images, targets, torch.Generator().manual_seed(1))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(moved_targets, moved.repeat_interleave(2, 2).repeat_interleave(2, 3))
    counts = [int((moved == way).flatten(1).all(1).sum()) for way in ways(images[0])]
    assert sum(counts) == 800
    assert all(60 < count < 140 for count in counts)  # 100 each, and four times the deviation


def test_what_is_not_square_keeps_its_shape_and_is_turned_by_half_only():
    images = torch.rand(20, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    moved, targets = flip_turn(images, images.clone(), torch.Generator().manual_seed(1))
    assert torch.equal(moved, targets)
    for image, result in zip(images, moved, strict=True):
        assert any(result.shape == way.shape and torch.equal(result, way) for way in ways(image))


def test_only_targets_that_are_images_can_be_turned():
    with pytest.raises(BadInputError, match="moves targets that are images"):
        flip_turn(torch.rand(2, 1, 4, 4), torch.tensor([0, 1]), torch.Generator())
