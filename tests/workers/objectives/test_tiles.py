import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.models import build
from workers.objectives.super_resolution import objective

IMAGES = torch.rand(2, 3, 29, 37, generator=torch.Generator().manual_seed(0))

# With the number of pixels that each sees on one side: 1 + 2 for each block + 1 + 1, then 1/2 and 1/4 in the upsampler.
NETWORKS = [
    ("edsr", {"scale": 2, "num_blocks": 1, "width": 4}, 6),
    ("edsr", {"scale": 4, "num_blocks": 1, "width": 4}, 6),
    ("srcnn", {"kernels": [9, 1, 5], "widths": [4, 4], "in_channels": 3}, 6),
]


def predict(module, images=IMAGES, **settings):
    with torch.inference_mode():
        return objective(scale=4, **settings).predict(module, images)


@pytest.fixture(params=NETWORKS, ids=lambda each: each[0])
def network(request):
    torch.manual_seed(0)
    name, arguments, reach = request.param
    return build(name, arguments).eval(), reach


def test_tiles_that_see_what_the_network_sees_give_what_whole_images_give(network):
    module, reach = network
    whole = predict(module)
    torch.testing.assert_close(predict(module, tile=16, overlap=reach), whole, rtol=0, atol=1e-5)
    assert not torch.allclose(predict(module, tile=16, overlap=0), whole, atol=1e-4)


def test_small_images_go_through_together_and_large_ones_by_themselves():
    class Passes(nn.Module):
        def forward(self, images):
            seen.append(images.shape)
            return images

    seen = []
    predict(Passes(), torch.rand(2, 3, 8, 8))
    assert torch.equal(predict(Passes(), large := torch.rand(2, 3, 200, 200)), large)
    assert [shape[0] for shape in seen] == [2, 1, 1]


def test_the_self_ensemble_is_the_mean_over_flips_and_turns(network):
    module, _ = network
    with torch.inference_mode():
        ways = [
            module(images.rot90(turns, (2, 3))).rot90(-turns, (2, 3)).flip(axes)
            for axes in ([], [3])
            for images in [IMAGES.flip(axes)]
            for turns in range(4)
        ]
    torch.testing.assert_close(predict(module, self_ensemble=True), torch.stack(ways).mean(0))
    turned = predict(module, IMAGES.rot90(1, (2, 3)), self_ensemble=True)
    torch.testing.assert_close(turned.rot90(-1, (2, 3)), predict(module, self_ensemble=True))


def test_tiles_and_turns_go_together(network):
    module, reach = network
    both = predict(module, tile=16, overlap=reach, self_ensemble=True)
    torch.testing.assert_close(both, predict(module, self_ensemble=True), rtol=0, atol=1e-5)


def test_tiles_of_a_network_that_cuts_the_border_cannot_be_put_together():
    with pytest.raises(BadInputError, match="a whole number of times as large as these"):
        predict(nn.Conv2d(3, 3, 3), tile=16)
