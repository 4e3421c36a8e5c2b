import numpy as np
import pytest
import torch

from workers.data.resize import enlarge, luma, shrink


def matlab_imresize(pixels, scale):
    """MATLAB's `imresize(pixels, scale)` for bytes, as its source defines it: rows first, each pass rounded."""
    for axis in (0, 1):
        size = pixels.shape[axis]
        width, shrinking = 4 / min(scale, 1), min(scale, 1)
        centre = np.arange(1, np.ceil(size * scale) + 1) / scale + 0.5 * (1 - 1 / scale)
        taps = (np.floor(centre - width / 2)[:, None] + np.arange(np.ceil(width) + 2)).astype(int)
        weights = cubic(shrinking * (centre[:, None] - taps))
        weights /= weights.sum(1, keepdims=True)
        mirrored = np.r_[0:size, size - 1 : -1 : -1][(taps - 1) % (2 * size)]
        values = np.moveaxis(pixels, axis, 0)[mirrored].astype(float)
        sums = np.einsum("nt,nt...->n...", weights, values)
        pixels = np.moveaxis(np.clip(np.floor(sums + 0.5), 0, 255), 0, axis)
    return pixels.astype(np.uint8)


def cubic(x):
    x = np.abs(x)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("smooth", [False, True])
def test_bytes_are_those_of_matlab_both_ways_up_to_the_border(scale, smooth):
    pixels = np.random.default_rng(scale).integers(0, 256, (24, 36, 3), dtype=np.uint8)
    if smooth:  # edges overshoot less than noise does
        pixels = np.asarray(pixels.reshape(6, 4, 9, 4, 3).mean((1, 3)).repeat(4, 0).repeat(4, 1), dtype=np.uint8)
    small = shrink(pixels, scale)
    assert np.array_equal(small, matlab_imresize(pixels, 1 / scale))
    assert np.array_equal(enlarge(small, scale), matlab_imresize(small, scale))


def test_an_image_of_one_low_resolution_pixel_has_the_colour_of_the_image():
    pixels = np.full((4, 4, 3), 77, dtype=np.uint8)
    assert shrink(pixels, 4).tolist() == [[[77] * 3]]
    assert np.array_equal(enlarge(shrink(pixels, 4), 4), pixels)


def test_luma_goes_from_16_to_235_of_255():
    black, white, red = torch.zeros(3, 1, 1), torch.ones(3, 1, 1), torch.tensor([1.0, 0, 0]).view(3, 1, 1)
    assert (255 * luma(torch.stack([black, white, red]))).flatten().tolist() == pytest.approx([16, 235, 81.481])
