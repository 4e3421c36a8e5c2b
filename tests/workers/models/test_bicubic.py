import numpy as np
import pytest
import torch

from jobs.errors import BadInputError
from workers.data.resize import enlarge
from workers.models import build


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_it_enlarges_as_the_data_do_to_the_last_bit(scale):
    pixels = np.random.default_rng(scale).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    images = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0) / 255
    expected = torch.from_numpy(enlarge(pixels, scale)).permute(2, 0, 1).unsqueeze(0) / 255
    assert torch.equal(build("bicubic", {"scale": scale})(images), expected)


def test_an_image_of_one_row_can_be_enlarged():
    row = torch.full((1, 1, 1, 2), 0.2)
    torch.testing.assert_close(build("bicubic", {"scale": 3})(row), torch.full((1, 1, 3, 6), 0.2))


def test_what_was_enlarged_before_stays_as_it_is():
    images = torch.rand(1, 1, 4, 4)
    assert build("bicubic", {"scale": 1})(images) is images


def test_other_scales_are_refused():
    with pytest.raises(BadInputError, match="scale"):
        build("bicubic", {"scale": 5})
