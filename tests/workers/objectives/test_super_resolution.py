import pytest
import torch

from jobs.errors import BadInputError
from jobs.stages.common import ObjectiveParams
from workers.objectives import find_objective
from workers.objectives.super_resolution import objective

TARGETS = torch.rand(2, 3, 12, 16, generator=torch.Generator().manual_seed(0))


def test_its_metrics_are_in_decibels_and_without_a_unit():
    found = find_objective(ObjectiveParams(name="super-resolution", settings={"scale": 3, "loss": "mse", "overlap": 8}))
    assert [(each.name, each.heading, each.text(0.98765)) for each in found.metrics] == [
        ("psnr_db", "PSNR (dB)", "0.99"),
        ("ssim", "SSIM", "0.9877"),
        ("psnr_rgb_db", "PSNR of all channels (dB)", "0.99"),
        ("ssim_rgb", "SSIM of all channels", "0.9877"),
    ]
    assert {each.direction for each in found.metrics} == {"higher"}


@pytest.mark.parametrize(("loss", "expected"), [("l1", 0.5), ("mse", 0.25)])
def test_losses_are_means_over_pixels_then_over_samples(loss, expected):
    outputs = TARGETS.clone()
    outputs[0] += 0.5
    made = objective(scale=2, loss=loss)
    assert made.loss(outputs, TARGETS).item() == pytest.approx(expected / 2)
    assert made.total_loss(outputs, TARGETS, torch.float64).item() == pytest.approx(expected)
    assert made.difference(outputs, TARGETS).item() == pytest.approx(expected / 2)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((2, 3, 6, 8), "does not enlarge, and its input is 1/2 .* set the data's `enlarged: true`"),
        ((2, 3, 24, 32), "enlarges what was enlarged before: leave the data's `enlarged` out"),
        ((2, 3, 18, 24), "enlarges by 3 where the data and the objective have the scale 2"),
        ((2, 3, 10, 14), "without padding make images smaller"),
        ((2, 1, 12, 16), "in_channels: 3, or set the data's `colour`"),
        ((2, 10), "is it a network that returns images"),
        ((1, 3, 12, 16), "an output for each is needed"),
    ],
)
def test_outputs_that_do_not_fit_come_with_a_remedy(shape, said):
    with pytest.raises(BadInputError, match=said):
        objective(scale=2).check(torch.zeros(shape), TARGETS)


def test_outputs_have_to_be_one_tensor():
    with pytest.raises(BadInputError, match="returned list"):
        objective(scale=2).check([TARGETS], TARGETS)


@pytest.mark.parametrize("targets", [torch.tensor([1, 2]), torch.rand(2, 2, 4, 4), torch.ones(2, 3, 4, 4).long()])
def test_targets_have_to_be_images(targets):
    with pytest.raises(BadInputError, match="super-resolution needs images of 1 or 3 channels"):
        objective(scale=2).check(TARGETS, targets)
