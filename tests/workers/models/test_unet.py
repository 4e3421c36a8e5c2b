import pytest
import torch

from jobs.errors import BadInputError
from workers.models import build


def test_has_the_parameters_counted_by_hand(num_parameters):
    # Down: 3*4*9 + 4*4*9 = 252 and 4*6*9 + 6*6*9 = 540; up: 6*4*4 = 96, then 8*4*9 + 4*4*9 = 432; batch norms
    # 2 * (4 + 4 + 6 + 6 + 4 + 4 + 4) = 64; logits 4*5 + 5 = 25.
    assert num_parameters(build("unet", {"widths": [4, 6], "num_classes": 5})) == 252 + 540 + 96 + 432 + 64 + 25


def test_there_is_a_logit_for_every_pixel():
    model = build("unet", {"widths": [2, 3, 4], "num_classes": 5, "in_channels": 1})
    assert model(torch.rand(2, 1, 8, 12)).shape == (2, 5, 8, 12)


def test_by_default_it_has_the_published_widths():
    with torch.device("meta"):
        model = build("unet")
    assert [stage[0].out_channels for stage in model.down] == [64, 128, 256, 512, 1024]


def test_maps_of_one_size_are_put_together():
    model = build("unet", {"widths": [2, 3], "num_classes": 1}).eval()
    for each in model.enlarge[0][0].parameters():
        torch.nn.init.zeros_(each)  # nothing comes from below, so only the way across is left
    first = torch.rand(1, 3, 4, 4)
    features = torch.cat([model.down[0](first), torch.zeros(1, 2, 4, 4)], 1)
    torch.testing.assert_close(model(first), model.classifier(model.up[0](features)))


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(BadInputError, match="8 x 6 pixels; with 3 widths, both must be multiples of 4"):
        build("unet", {"widths": [2, 3, 4]})(torch.rand(2, 3, 8, 6))
