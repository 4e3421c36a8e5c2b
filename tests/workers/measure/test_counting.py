import pytest
import torch
from token_network import INPUTS, Tokens
from torch import nn

from jobs.errors import BadInputError
from workers.measure import count_applications, count_macs, num_parameters, size_bytes
from workers.models import build


def test_macs_of_a_convolution():
    # 4 outputs at 6 x 6 places, each from 3 x 3 x 3 inputs; the bias is not counted.
    assert count_macs(nn.Conv2d(3, 4, 3), (3, 8, 8)) == 4 * 6 * 6 * 27


def test_macs_of_a_grouped_strided_convolution():
    # 4 outputs at 4 x 4 places, each from 3 x 3 of its own channel only.
    assert count_macs(nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4), (4, 8, 8)) == 4 * 4 * 4 * 9


def test_macs_of_a_linear_layer():
    assert count_macs(nn.Linear(5, 7), (5,)) == 35


def test_macs_of_a_network_are_those_of_its_layers():
    # Convolutions at 8 x 8 and 4 x 4: 2*9 * 64 + 2*3*9 * 16; linear 3 * 5. Batch norm, ReLU and pooling are free.
    model = build("plain", {"widths": [2, 3], "num_classes": 5, "in_channels": 1})
    assert count_macs(model, (1, 8, 8)) == 18 * 64 + 54 * 16 + 15


def test_macs_of_resnet56_are_the_published_ones():
    # 125.49 M with identity shortcuts, as in HRank (arXiv:2002.10179) and others; the two projections add
    # 16*32*16*16 + 32*64*8*8 = 0.26 M.
    assert count_macs(build("cifar_resnet56", {}), (3, 32, 32)) == 125_485_696 + 262_144


def test_counting_leaves_the_model_as_it_was():
    model = build("plain", {"widths": [2]})
    before = {name: each.clone() for name, each in model.state_dict().items()}
    count_macs(model, (3, 8, 8))
    assert model.training
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


def test_a_shape_that_does_not_fit_is_said():
    with pytest.raises(BadInputError, match=r"1 sample\(s\) of shape \(1, 8, 8\)"):
        count_macs(build("plain", {}), (1, 8, 8))


def test_parameters_are_counted_once_and_buffers_not():
    first = nn.Linear(3, 3, bias=False)  # 9
    shared = nn.Linear(3, 3, bias=False)
    shared.weight = first.weight
    first.weight.requires_grad_(False)
    assert num_parameters(nn.Sequential(first, shared, nn.BatchNorm1d(3))) == 9 + 3 + 3


def test_bytes_are_those_of_the_types_stored():
    state = {"half": torch.zeros(3, dtype=torch.float16), "float": torch.zeros(2), "steps": torch.tensor(7)}
    assert size_bytes(state) == 3 * 2 + 2 * 4  # the integer counter is not a weight


def test_macs_of_a_network_in_double_precision():
    assert count_macs(nn.Conv2d(3, 4, 1).double(), (3, 5, 5)) == 3 * 4 * 25


def test_masked_weights_count_neither_as_parameters_nor_as_macs():
    # A third of 2 * 9 weights at 8 x 8 places, half of 2*3*9 at 4 x 4.
    model = build("plain", {"widths": [2, 3], "num_classes": 5, "in_channels": 1})
    first, second = torch.arange(18).view(2, 1, 3, 3) % 3 > 0, torch.arange(54).view(3, 2, 3, 3) % 2 > 0
    masks = {"features.0.weight": first, "features.4.weight": second}
    assert num_parameters(model, masks) == num_parameters(model) - 6 - 27
    assert count_macs(model, (1, 8, 8), masks) == 12 * 64 + 27 * 16 + 15


def test_masks_of_grouped_and_transposed_convolutions():
    model = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.ConvTranspose2d(4, 2, 2, stride=2))
    masks = {name: torch.arange(each.numel()).view_as(each) % 2 > 0 for name, each in model.named_parameters()}
    masks = {name: mask for name, mask in masks.items() if name.endswith("weight")}
    assert count_macs(model, (4, 8, 8), masks) == count_macs(model, (4, 8, 8)) // 2


def test_tokens_are_counted_at_all_their_places():
    assert count_macs(Tokens(), INPUTS) == 5 * (4 * 8 + 8 * 4) + 4 * 3
    assert count_applications(Tokens(), INPUTS) == {"hidden.weight": 5, "back.weight": 5, "answer.weight": 1}


class Deciding(nn.Module):
    """A layer whose network looks at numbers, which meta tensors do not have."""

    def __init__(self, layer, times=1):
        super().__init__()
        self.layer, self.times = layer, times

    def forward(self, x):
        if float(x.sum()) > 1e9:
            return x
        return self.layer(*[x] * self.times)


ATTENTION = 2 * 5 * 5 * 16  # the products of activations: scores and what they weigh
WITH_FUSED_KERNELS = {
    "encoder layer": (
        nn.TransformerEncoderLayer(16, 2, 32, batch_first=True),
        1,
        5 * (4 * 16 * 16 + 2 * 16 * 32) + ATTENTION,
    ),
    "attention": (nn.MultiheadAttention(16, 2, batch_first=True), 3, 5 * 4 * 16 * 16 + ATTENTION),
    "LSTM": (nn.LSTM(16, 8, batch_first=True), 1, 5 * 4 * 8 * (16 + 8)),
    "LSTM of two layers in both directions": (
        nn.LSTM(16, 8, num_layers=2, bidirectional=True, batch_first=True),
        1,
        2 * 5 * 4 * 8 * (16 + 8) + 2 * 5 * 4 * 8 * (16 + 8),
    ),
    "GRU": (nn.GRU(16, 8, batch_first=True), 1, 5 * 3 * 8 * (16 + 8)),
}


@pytest.mark.parametrize("kind", WITH_FUSED_KERNELS)
def test_layers_with_fused_kernels_are_counted_where_numbers_are_looked_at(kind):
    layer, times, expected = WITH_FUSED_KERNELS[kind]
    network = Deciding(layer.eval(), times)
    assert count_macs(network, (5, 16)) == expected
    applied = count_applications(network, (5, 16))
    with_weights = sum(number * network.get_parameter(name).numel() for name, number in applied.items())
    assert with_weights == expected - (ATTENTION if times == 3 or kind == "encoder layer" else 0)


def test_projections_of_attention_are_applied_to_every_token():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    weights = ("self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight")
    assert count_applications(layer, (5, 16)) == dict.fromkeys(weights, 5)


def test_masked_weights_of_projections_do_not_count():
    layer = Deciding(nn.MultiheadAttention(16, 2, batch_first=True), 3)
    mask = torch.arange(16 * 16).view(16, 16) % 2 > 0
    assert count_macs(layer, (5, 16)) - count_macs(layer, (5, 16), {"layer.out_proj.weight": mask}) == 5 * 128


class Standardised(nn.Conv2d):
    """Computes its weight anew in every pass."""

    def forward(self, x):
        return nn.functional.conv2d(x, self.weight - self.weight.mean((1, 2, 3), keepdim=True), self.bias)


class Tying(nn.Module):
    """Multiplies by one weight forth and back, and by a table of its own."""

    def __init__(self):
        super().__init__()
        self.there, self.table = nn.Linear(8, 4), nn.Parameter(torch.rand(8, 3))

    def forward(self, x):
        return self.there(x) @ self.there.weight @ self.table


def test_weights_are_applied_wherever_the_code_reads_them():
    assert count_applications(Tying(), (5, 8)) == {"there.weight": 10, "table": 5}


def test_a_layer_may_compute_its_weight():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), Standardised(4, 2, 3))
    assert count_applications(network, (3, 8, 8)) == {"0.weight": 36, "1.weight": 16}
    assert count_applications(network[1], (4, 6, 6)) == {"weight": 16}
