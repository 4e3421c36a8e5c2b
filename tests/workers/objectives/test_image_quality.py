import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from jobs.errors import BadInputError
from workers.data.resize import luma
from workers.objectives.super_resolution import objective


def drawn(channels=3, height=19, width=23, seed=0):
    """Two smooth images and noisy ones, of whole bytes as saved images are."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2, channels, 5, 6, generator=generator)
    wanted = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    noisy = (wanted + 0.05 * torch.randn(wanted.shape, generator=generator)).clamp(0, 1)
    return (noisy * 255).round() / 255, wanted


def measured(outputs, targets, **settings):
    found = {}
    for metric, make in objective(scale=2, **settings).metrics.items():
        meter = make()
        meter.update(outputs, targets)
        found[metric.name] = float(meter.compute())
    return found


def theirs(outputs, targets):
    """Means over the images of scikit-image's PSNR and SSIM, all channels together."""
    pairs = [[each.double().numpy() for each in pair] for pair in zip(outputs, targets, strict=True)]
    psnr = [peak_signal_noise_ratio(b, a, data_range=1) for a, b in pairs]
    ssim = [
        structural_similarity(
            a, b, data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in pairs
    ]
    return np.mean(psnr), np.mean(ssim)


@pytest.mark.parametrize("shave", [0, 3])
def test_they_are_those_of_scikit_image_on_the_luma_and_on_rgb(shave):
    outputs, targets = drawn()
    found = measured(outputs, targets, shave=shave)
    inner = [each[..., shave : 19 - shave, shave : 23 - shave].double() for each in (outputs, targets)]
    assert (found["psnr_db"], found["ssim"]) == pytest.approx(
        theirs(*map(luma, inner)), abs=1e-6
    )  # bytes in single precision
    assert (found["psnr_rgb_db"], found["ssim_rgb"]) == pytest.approx(
        theirs(*inner), abs=1e-6
    )  # bytes in single precision


def test_the_scale_is_shaved_unless_another_border_is_asked_for():
    outputs, targets = drawn()
    assert measured(outputs, targets) == measured(outputs, targets, shave=2) != measured(outputs, targets, shave=3)


def test_one_channel_is_the_luma_and_all_there_is():
    outputs, targets = map(luma, drawn())
    found = measured((outputs * 255).round() / 255, targets)
    assert (found["psnr_rgb_db"], found["ssim_rgb"]) == (found["psnr_db"], found["ssim"])


def test_outputs_are_clipped_and_rounded_to_bytes_first():
    wanted = torch.ones(1, 3, 16, 16)
    assert measured(wanted + torch.rand(wanted.shape), wanted)["psnr_db"] == 100
    assert measured(wanted - 0.4 / 255, wanted)["ssim"] == 1
    assert measured(wanted - 1 / 255, wanted, shave=0)["psnr_rgb_db"] == pytest.approx(48.1308, abs=1e-4)


def test_images_count_alike_whatever_their_size_and_batch():
    small, large = drawn(), drawn(height=30, seed=1)
    meters = {metric.name: make() for metric, make in objective(scale=2).metrics.items()}
    for name, meter in meters.items():
        for pair in (small, large):
            meter.update(*pair)
        assert float(meter.compute()) == pytest.approx((measured(*small)[name] + measured(*large)[name]) / 2)


@pytest.mark.parametrize(
    ("size", "said"),
    [((4, 30), "4 x 30 pixels large, of which 2 are shaved"), ((14, 30), "10 x 26 .* window needs 11")],
)
def test_images_that_are_too_small_are_named(size, said):
    images = torch.rand(1, 3, *size)
    with pytest.raises(BadInputError, match=said):
        measured(images, images)
