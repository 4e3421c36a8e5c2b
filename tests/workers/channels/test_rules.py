"""One operator at a time: a stem, the operator, a head; prunable channels, and their numerical proof."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from workers.channels import find_groups
from workers.channels.proof import prove

SHAPE = (3, 8, 8)


class Network(nn.Module):
    """A stem of 12 channels, a body given as a function of (self, x), and a head that reads `read` channels."""

    def __init__(self, body, read=12, **layers):
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.head, self.body = nn.Conv2d(read, 4, 1), body
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.head(self.body(self, self.stem(x))).mean((2, 3))


def analysed(model, ratio=0.5):
    """The groups' widths; that cut and masked network agree is checked on the way."""
    torch.manual_seed(0)
    found = find_groups(model, SHAPE)
    proof = prove(model, SHAPE, found, ratio=ratio, generator=torch.Generator().manual_seed(0))
    assert proof.holds(1e-9), proof
    return found


PASSING = {
    "instance_norm": lambda self, x: functional.instance_norm(x),
    "interpolate": lambda self, x: functional.interpolate(x, scale_factor=2, mode="bilinear"),
    "max_pool": lambda self, x: functional.max_pool2d(x, 2),
    "roll over space": lambda self, x: x.roll((1, 2), (2, 3)),
    "flip over space": lambda self, x: x.flip(2),
    "pad over space": lambda self, x: functional.pad(x, (1, 2, 3, 4), mode="reflect"),
    "std over space": lambda self, x: x - x.std((2, 3), keepdim=True),
    "norm over space": lambda self, x: x - x.norm(dim=(2, 3), keepdim=True),
    "softmax over space": lambda self, x: x.softmax(3),
    "layer norm over space": lambda self, x: functional.layer_norm(x, (8, 8)),
    "stack": lambda self, x: torch.stack([x, x.relu()], 2).sum(2),
    "unbind": lambda self, x: sum(torch.stack([x, x.relu()]).unbind(0)),
    "where": lambda self, x: torch.where(x > 0.1, x, x.square()),
    "masked_fill": lambda self, x: x.masked_fill(x < 0, 0.5),
    "unshuffle, shuffle": lambda self, x: functional.pixel_shuffle(functional.pixel_unshuffle(x, 2), 2),
    "squeeze": lambda self, x: x.unsqueeze(1).squeeze(1),
    "movedim": lambda self, x: x.movedim((1, 2), (-1, 0)).square().movedim((-1, 0), (1, 2)),
    "repeat": lambda self, x: x[:, :, :1].repeat(1, 1, 8, 1),
    "expand": lambda self, x: x[:, :, :1].expand(-1, -1, 8, -1),
    "split and flatten": lambda self, x: x.flatten(1).unflatten(1, (-1, 64)).unflatten(2, (8, 8)),
    "stochastic depth": lambda self, x: x * torch.ones(x.shape[0], 1, 1, 1, device=x.device),
    "new_zeros": lambda self, x: x + x.new_zeros(8, 8),
    "type_as": lambda self, x: x + torch.ones(8, 8).type_as(x),
    "reshape_as": lambda self, x: x.movedim(1, 3).flatten(0, 2).relu().reshape_as(x.movedim(1, 3)).movedim(3, 1),
    "view_as": lambda self, x: x.flatten(2).view_as(x),
}


@pytest.mark.parametrize("body", PASSING.values(), ids=PASSING)
def test_operators_that_hand_channels_on(body):
    assert analysed(Network(body)).widths() == {"stem": 12}


@pytest.mark.parametrize("shape", [(1, 12, 4, 4), (1, 1, 12, 4, 4), (1, 12, 16)])
def test_a_table_of_positions_is_resized(shape):
    def body(self, x):
        return x + functional.interpolate(self.table.view(1, -1, 4, 4), size=8, mode="bilinear")

    assert analysed(Network(body, table=nn.Parameter(torch.rand(shape)))).widths() == {"stem": 12}


@pytest.mark.parametrize(
    ("body", "read", "width"),
    [
        (lambda self, x: functional.pixel_unshuffle(x, 2), 48, 12),  # a channel becomes four
        (lambda self, x: functional.pixel_shuffle(x, 2), 3, 3),  # four become one
        (lambda self, x: functional.channel_shuffle(x, 3), 12, 4),  # 3 parts of 4: a place in each
        (lambda self, x: x.repeat(1, 2, 1, 1), 24, 12),
        (lambda self, x: torch.cat([part.relu() for part in x.chunk(3, 1)], 1), 12, 4),
        (lambda self, x: torch.cat([part.relu() for part in x.split(x.shape[1] // 2, 1)], 1), 12, 6),
        (lambda self, x: torch.cat([x[:, ::2].relu(), x[:, 1::2].sigmoid()], 1), 12, 6),
        (lambda self, x: x[:, 2::3], 4, 4),
        (lambda self, x: x.view(x.shape[0], 3, -1, 8, 8).sum(1), 4, 4),
        (lambda self, x: x.view(x.shape[0], -1, 3, 8, 8).sum(2), 4, 4),
        (lambda self, x: x.view(x.shape[0], -1, 2, 8, 8).sum(2), 6, 6),
        (lambda self, x: x.view(x.shape[0], -1, 6, 8, 8).sum(2), 2, 2),  # the second reading: the longer axis is fixed
        (lambda self, x: x.view(x.shape[0], 2, 2, -1, 8, 8).sum((1, 2)), 3, 3),
        (lambda self, x: x.view(x.shape[0], 2, -1, 2, 8, 8).sum((1, 3)), 3, 3),
        (lambda self, x: x.view(x.shape[0], 3, -1, 8, 8)[:, 1], 4, 4),
        (lambda self, x: x.view(x.shape[0], 3, -1, 8, 8).transpose(1, 2).reshape(x.shape[0], -1, 8, 8), 12, 4),
        (lambda self, x: torch.cat([x.view(x.shape[0], 3, -1, 8, 8).unbind(1)[0], x], 1), 16, 4),
    ],
)
def test_operators_that_tie_channels(body, read, width):
    assert analysed(Network(body, read)).widths() == {"stem": width}


def test_halves_of_which_one_fits_by_rounding_stay():
    def halves(self, x):
        length = (x.shape[1] + 1) // 2
        return torch.cat([x[:, :length], x[:, length:].relu()], 1)

    assert analysed(Network(halves)).widths() == {}


@pytest.mark.parametrize(("body", "read"), [(lambda self, x: x[:, ::5], 3), (lambda self, x: x[:, 4::2], 4)])
def test_steps_that_do_not_take_one_of_every_few_channels_are_refused(body, read):
    found = find_groups(Network(body, read), SHAPE)
    assert not found.groups
    assert found.refused[0].operator == "aten.slice.Tensor"


@pytest.mark.parametrize(
    ("layer", "read", "expected"),
    [
        (nn.Conv2d(12, 12, 3, padding=1, groups=12), 12, {"stem": 12}),
        (nn.Conv2d(12, 36, 3, padding=1, groups=12), 36, {"stem": 12}),
        (nn.Conv2d(12, 8, 3, padding=1, groups=4), 8, {"stem": 4}),
        (nn.ConvTranspose2d(12, 8, 2, stride=2, groups=4), 8, {"stem": 4}),
        (nn.ConvTranspose2d(12, 12, 2, stride=2, groups=12, bias=False), 12, {"stem": 12}),
        (nn.ConvTranspose2d(12, 5, 3), 5, {"stem": 12, "layer": 5}),
        (nn.BatchNorm2d(12, affine=False), 12, {"stem": 12}),
        (nn.InstanceNorm2d(12, affine=True), 12, {"stem": 12}),
        (nn.GroupNorm(6, 12), 12, {"stem": 6}),
        (nn.GroupNorm(12, 12), 12, {"stem": 12}),
        (nn.GroupNorm(1, 12), 12, {"stem": 12}),
        (nn.LayerNorm((12, 8, 8)), 12, {"stem": 12}),
        (nn.PReLU(12), 12, {"stem": 12}),
        (nn.Sequential(nn.Conv2d(12, 12, 1, groups=2), nn.GroupNorm(3, 12)), 12, {"stem": 1}),  # all in one block
    ],
)
def test_layers(layer, read, expected):
    assert analysed(Network(lambda self, x: self.layer(x), read, layer=layer)).widths() == expected


@pytest.mark.parametrize(
    ("layer", "normalised"),
    [
        (nn.GroupNorm(1, 12), True),
        (nn.LayerNorm((12, 8, 8)), True),
        (nn.GroupNorm(2, 12), False),  # the statistics of a group are its own
        (nn.LayerNorm((8, 8)), False),  # over space
        (nn.BatchNorm2d(12), False),
    ],
)
def test_statistics_over_channels_are_marked(layer, normalised):
    (group,) = find_groups(Network(lambda self, x: self.layer(x), layer=layer), SHAPE).groups
    assert group.normalised is normalised


@pytest.mark.parametrize(("convolution", "size"), [(nn.Conv1d, (3, 9)), (nn.Conv3d, (3, 5, 5, 5))])
@pytest.mark.parametrize("transposed", [False, True])
def test_other_dimensions(convolution, size, transposed):
    dimensions = len(size) - 1
    last = getattr(nn, f"ConvTranspose{dimensions}d") if transposed else convolution
    norm = getattr(nn, f"BatchNorm{dimensions}d")(8)
    model = nn.Sequential(convolution(3, 8, 3, padding=1), norm, nn.ReLU(), last(8, 6, 3, groups=2), nn.Flatten())
    model.append(nn.Linear(model(torch.zeros(2, *size)).shape[1], 4))
    found = find_groups(model, size)
    assert found.widths() == {"0": 2}
    assert prove(model, size, found, ratio=0.5, generator=torch.Generator().manual_seed(0)).holds(1e-9)


class TestSumsOverChannelsOfTwoActivations:
    """No weight masks them, so a removed channel has to be zero in one of the factors."""

    def energy(self, feature):
        def body(self, x):
            y = feature(x).flatten(2)
            return (y.transpose(1, 2) @ y).unsqueeze(1)  # pixels by pixels, summed over channels

        return Network(body, 1)

    @pytest.mark.parametrize("feature", [torch.relu, lambda x: x * x.sigmoid(), lambda x: x + x.tanh()])
    def test_zero_stays_zero(self, feature):
        assert analysed(self.energy(feature)).widths() == {"stem": 12}

    @pytest.mark.parametrize(
        "feature",
        [
            torch.sigmoid,
            lambda x: functional.elu(x) + 1,  # the feature map of linear attention
            lambda x: functional.pad(x, (1, 1, 1, 1), value=1.0),
            lambda x: torch.cat([x, x.cos()], 1),
            lambda x: x.clone().add_(1),
        ],
    )
    def test_what_is_not_zero_is_refused(self, feature):
        found = find_groups(self.energy(feature), SHAPE)
        assert not found.groups
        assert "need not be zero" in found.refused[0].reason

    def test_a_default_scale_that_follows_the_channels_is_refused(self):
        def body(self, x):
            y = x.flatten(2).transpose(1, 2)
            return functional.scaled_dot_product_attention(y, y, y).transpose(1, 2).unflatten(2, (8, 8))

        found = find_groups(Network(body), SHAPE)
        assert not found.groups
        assert "computes with other numbers" in found.refused[0].reason

    def test_a_constant_scale_is_followed(self):
        def body(self, x):
            y = x.flatten(2).transpose(1, 2)
            return functional.scaled_dot_product_attention(y, y, y, scale=0.3).transpose(1, 2).unflatten(2, (8, 8))

        assert analysed(Network(body)).widths() == {"stem": 12}

    def test_baddbmm(self):
        def body(self, x):
            y = x.flatten(2)
            return torch.baddbmm(y.new_zeros(64, 64), y.transpose(1, 2), y, alpha=0.5).unsqueeze(1)

        assert analysed(Network(body, 1)).widths() == {"stem": 12}


def test_a_matrix_that_is_a_parameter_of_its_own_is_a_layer():
    def body(self, x):
        return (x.movedim(1, -1) @ self.mix).movedim(-1, 1)

    found = analysed(Network(body, 7, mix=nn.Parameter(torch.randn(12, 7))))
    assert found.widths() == {"stem": 12, "mix": 7}
    assert [axis.role for axis in found.tensors["mix"]] == ["input", "output"]


def test_tokens_that_are_parameters_are_put_beside_and_stay():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 6, 4, stride=4), nn.Linear(6, 4)
            self.tokens, self.shift = nn.Parameter(torch.randn(1, 3, 6)), nn.Parameter(torch.randn(1, 1, 6))

        def forward(self, x):
            x = self.stem(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.tokens.expand(x.shape[0], -1, -1), x, self.shift.expand(x.shape[0], -1, -1)], 1)
            return self.head(x[:, 0] + x.mean(1))

    found = analysed(Tokens())
    assert found.widths() == {"stem": 6}
    assert not found.tensors["tokens"][1].labelled
    assert found.tensors["tokens"][2].labelled


class Heads(nn.Module):
    """Attention over the pixels; how queries, keys and values are taken apart is given."""

    def __init__(self, parts, scale=None):
        super().__init__()
        self.stem, self.qkv, self.out = nn.Conv2d(3, 6, 4, stride=4), nn.Linear(6, 36), nn.Linear(12, 6)
        self.head, self.parts, self.scale = nn.Linear(6, 4), parts, scale

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        q, k, v = self.parts(self.qkv(x))
        y = functional.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return self.head((x + self.out(y.transpose(1, 2).flatten(2)))[:, 0])


class TestHeads:
    def test_of_a_fixed_length_are_units(self):
        model = Heads(lambda y: (part.unflatten(2, (-1, 4)).transpose(1, 2) for part in y.chunk(3, 2)))
        assert analysed(model).widths() == {"stem": 6, "qkv": 3}  # 12 channels are 3 heads of 4

    def test_their_number_fixed_a_place_in_each_is_a_unit(self):
        model = Heads(lambda y: (part.unflatten(2, (3, -1)).transpose(1, 2) for part in y.chunk(3, 2)), scale=0.5)
        assert analysed(model).widths() == {"stem": 6, "qkv": 4}

    def test_their_number_fixed_and_the_scale_not_they_stay(self):
        model = Heads(lambda y: (part.unflatten(2, (3, -1)).transpose(1, 2) for part in y.chunk(3, 2)))
        assert analysed(model).widths() == {"stem": 6}

    def test_both_fixed_they_stay(self):
        model = Heads(lambda y: (part.unflatten(2, (3, 4)).transpose(1, 2) for part in y.chunk(3, 2)))
        found = analysed(model)
        assert found.widths() == {"stem": 6}
        assert found.refused[0].layers == ("qkv",)


class Picking(nn.Module):
    """A list of numbers that the network stores."""

    def __init__(self, numbers):
        super().__init__()
        self.register_buffer("index", torch.tensor(numbers))


class TestPickingByNumber:
    def test_what_is_picked_is_new_and_what_it_is_picked_from_stays(self):
        model = Network(lambda self, x: x.index_select(1, self.pick.index) * 2, read=5, pick=Picking([3, 1, 1, 11, 0]))
        found = analysed(model)
        assert found.widths() == {"pick.index": 5}
        assert [(refused.layers, refused.reason) for refused in found.refused] == [
            (("stem",), "channels are picked by number")
        ]

    def test_one_list_for_two_places_is_cut_once(self):
        model = Network(
            lambda self, x: x.index_select(1, self.pick.index) + x.relu().index_select(1, self.pick.index),
            read=3,
            pick=Picking([3, 1, 2]),
        )
        assert analysed(model).widths() == {"pick.index": 3}

    def test_places_are_picked_without_harm(self):
        model = Network(lambda self, x: x.index_select(2, self.pick.index), pick=Picking([0, 2, 4, 6]))
        assert analysed(model).widths() == {"stem": 12}

    def test_numbers_that_are_computed_keep_their_channels(self):
        model = Network(lambda self, x: x.index_select(1, torch.arange(12, device=x.device)))
        assert analysed(model).widths() == {}

    def test_what_is_picked_can_be_picked_from_again(self):
        model = Network(
            lambda self, x: x.index_select(1, self.first.index).index_select(1, self.second.index),
            read=3,
            first=Picking([3, 1, 2, 7]),
            second=Picking([0, 3, 2]),
        )
        assert analysed(model).widths() == {"second.index": 3}


def test_a_response_norm_over_channels():
    """That of ConvNeXt V2, which computes with `addcmul`."""

    def body(self, x):
        length = x.norm(dim=(2, 3), keepdim=True)
        weight, bias = (each.view(1, -1, 1, 1) for each in (self.weight, self.bias))
        return x + torch.addcmul(bias, weight, x * length / (length.mean(1, keepdim=True) + 1e-6))

    parameters = {"weight": nn.Parameter(torch.rand(12)), "bias": nn.Parameter(torch.rand(12))}
    found = analysed(Network(body, **parameters))
    assert found.widths() == {"stem": 12}
    assert found.groups[0].normalised


def test_a_bias_put_together_from_parameters():
    def body(self, x):
        bias = torch.cat([self.first, self.second])
        return functional.linear(x.movedim(1, -1), self.layer.weight, bias).movedim(-1, 1)

    parameters = {"first": nn.Parameter(torch.rand(4)), "second": nn.Parameter(torch.rand(5))}
    found = analysed(Network(body, 9, layer=nn.Linear(12, 9, bias=False), **parameters))
    assert found.widths() == {"stem": 12, "layer": 4, "layer#2": 5}


@pytest.mark.parametrize(
    ("parts", "free"),
    [
        (lambda weight: weight.split([4, 5]), {}),  # the code says how many rows there are
        (lambda weight: (weight[:4], weight[4:]), {"rows#2": 5}),  # only of the first part
    ],
)
def test_rows_of_one_weight_for_two_inputs(parts, free):
    def body(self, x):
        x = x.movedim(1, -1)
        one, other = (functional.linear(each, rows) for each, rows in zip((x, x.relu()), parts(self.rows), strict=True))
        return torch.cat([one, other], -1).movedim(-1, 1)

    assert analysed(Network(body, 9, rows=nn.Parameter(torch.randn(9, 12)))).widths() == {"stem": 12} | free


class TestNumbersInTheCode:
    """They cannot follow: the channels stay, and what is said names the place."""

    def test_padding(self):
        inner = nn.Conv2d(12, 20, 1)
        found = analysed(
            Network(lambda self, x: functional.pad(x, (0, 0, 0, 0, 3, 5)) + self.inner(x), 20, inner=inner)
        )
        (refused,) = found.refused
        assert refused.layers == ("inner",)
        assert (refused.operator, refused.reason) == (
            "aten.pad.default",
            "channels of padding, whose number stands in the code",
        )

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (lambda self, x: x.view(2, 3, 4, 8, 8).flatten(1, 2), "is invalid for input of size"),
            (lambda self, x: torch.cat([part.relu() for part in x.split([5, 7], 1)], 1), "expects split_sizes to sum"),
        ],
    )
    def test_of_a_view_or_a_split(self, body, reason):
        class Inner(nn.Module):
            def forward(self, x):
                return body(self, x)

        found = find_groups(Network(lambda self, x: self.inner(x), inner=Inner()), SHAPE)
        assert not found.groups
        assert {(each.layers, each.where) for each in found.refused} == {(("stem",), "inner")}
        assert reason in found.refused[0].reason
