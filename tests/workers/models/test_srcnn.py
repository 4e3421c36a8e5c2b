import pytest
import torch

from workers.models import build


@pytest.mark.parametrize(("kernels", "weights"), [([9, 1, 5], 8_032), ([9, 3, 5], 24_416), ([9, 5, 5], 57_184)])
def test_has_the_published_number_of_weights_and_a_bias_for_each_map(num_parameters, kernels, weights):
    # Dong et al. 2016, section 4.3.2, counts weights: 81 * 64 + 64 * 32 * (1, 9 or 25) + 25 * 32. Biases 64 + 32 + 1.
    assert 81 * 64 + 64 * 32 * kernels[1] ** 2 + 25 * 32 == weights
    assert num_parameters(build("srcnn", {"kernels": kernels})) == weights + 97


def test_the_best_network_of_the_paper_is_the_default(num_parameters):
    assert num_parameters(build("srcnn")) == 57_184 + 97


@pytest.mark.parametrize("channels", [1, 3])
def test_the_image_keeps_its_size(channels):
    images = torch.rand(2, channels, 11, 14)
    assert build("srcnn", {"in_channels": channels})(images).shape == images.shape
