import pytest
import torch

from workers.models import build
from workers.models.edsr import MeanShift

CONVOLUTION = {64: 36_928, 256: 590_080}
"""From as many channels as there are to as many, 3x3 with biases: w * w * 9 + w."""


@pytest.mark.parametrize(
    ("name", "width", "blocks", "scale", "shuffled", "published"),
    [
        # A shuffle by 2 reads 4 maps per channel, 64 * 256 * 9 + 256 = 147,712; one by 3 reads 9, 64 * 576 * 9 + 576.
        ("edsr_baseline", 64, 16, 2, 147_712, 1.37),
        ("edsr_baseline", 64, 16, 3, 332_352, 1.55),
        ("edsr_baseline", 64, 16, 4, 2 * 147_712, 1.52),
        # 256 * 1,024 * 9 + 1,024 = 2,360,320; 256 * 2,304 * 9 + 2,304 = 5,310,720. Lim et al. 2017, table 1: 43 M.
        ("edsr", 256, 32, 2, 2_360_320, 40.7),
        ("edsr", 256, 32, 3, 5_310_720, 43.7),
        ("edsr", 256, 32, 4, 2 * 2_360_320, 43.1),
    ],
)
def test_has_the_published_number_of_parameters(num_parameters, name, width, blocks, scale, shuffled, published):
    # Two convolutions in each block and one behind them all; from and to RGB 3 * w * 9 + w and w * 3 * 9 + 3.
    counted = (2 * blocks + 1) * CONVOLUTION[width] + shuffled + 2 * 27 * width + width + 3
    with torch.device("meta"):
        assert num_parameters(build(name, {"scale": scale})) == counted
    assert counted / 1e6 == pytest.approx(published, abs=0.05 if name == "edsr" else 0.005)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_image_becomes_scale_times_as_high_and_wide(scale):
    model = build("edsr", {"scale": scale, "num_blocks": 1, "width": 4})
    assert model(torch.rand(2, 3, 5, 7)).shape == (2, 3, 5 * scale, 7 * scale)


def test_a_scale_of_four_is_made_by_two_shuffles_by_two():
    names = build("edsr", {"scale": 4, "num_blocks": 1, "width": 4}).tail[0].state_dict()
    assert {name: each.shape[0] for name, each in names.items() if name.endswith("bias")} == {
        "0.bias": 16,
        "2.bias": 16,
    }


def test_a_network_of_zeros_returns_the_mean_colour_of_div2k():
    model = build("edsr", {"scale": 2, "num_blocks": 1, "width": 4})
    for each in model.parameters():
        torch.nn.init.zeros_(each)
    assert model(torch.rand(1, 3, 2, 2))[0, :, 0, 0].tolist() == pytest.approx([0.4488, 0.4371, 0.4040])


def test_the_mean_is_a_buffer_and_grey_where_there_is_no_colour():
    shift = MeanShift(in_channels=1, sign=-1)
    assert (list(shift.state_dict()), list(shift.parameters())) == (["shift"], [])
    assert shift.shift.item() == pytest.approx(-(0.4488 + 0.4371 + 0.4040) / 3)


def test_a_block_adds_its_scaled_branch_to_what_it_reads():
    block = build("edsr", {"scale": 2, "num_blocks": 1, "width": 4, "residual_scale": 0.1}).body[0]
    features = torch.rand(2, 4, 5, 5)
    torch.testing.assert_close(block(features) - features, 0.1 * block.body(features))


def test_weights_for_pixels_to_255_fit_when_their_biases_are_divided_by_255():
    torch.manual_seed(0)
    model = build("edsr", {"scale": 2, "num_blocks": 2, "width": 4}).double()
    images = torch.rand(2, 3, 6, 6, dtype=torch.float64)
    expected = 255 * model(images)
    for name, each in model.named_parameters():
        each.data.mul_(255 if name.endswith("bias") else 1)
    for shift in (model.sub_mean, model.add_mean):
        shift.shift.mul_(255)
    torch.testing.assert_close(model(255 * images), expected)


def test_without_batch_norm_the_signal_of_a_fresh_network_does_not_explode():
    # He's initialisation would make it 2 to the power of 16 times as large in variance.
    torch.manual_seed(0)
    model = build("edsr_baseline", {"scale": 2})
    features = torch.randn(2, 64, 12, 12)
    assert 0.5 < (features + model.body(features)).std().item() / features.std().item() < 2
