import gc
import weakref
from typing import ClassVar

import pytest
import torch
from token_network import INPUTS, Tokens
from torch import nn
from torch.nn import functional

from workers.channels import find_groups, load_resized, mask, select
from workers.channels.proof import prove
from workers.inputs import InputSpec

SHAPE = (3, 8, 8)


def widths(model):
    return find_groups(model, SHAPE).widths()


class Network(nn.Module):
    """A stem of 8 channels, a body given as a function of (self, x), and a head that reads `read` channels."""

    def __init__(self, body, read=8):
        super().__init__()
        self.stem, self.middle = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.head, self.body = nn.Conv2d(read, 4, 1), body

    def forward(self, x):
        return self.head(self.body(self, self.stem(x))).mean((2, 3))


class RunningSum(nn.Module):
    """An operator without a rule."""

    def forward(self, x):
        return x.cumsum(1)


class TestGroups:
    EXPECTED: ClassVar = {
        "Plain": {"conv1": 6, "conv2": 5, "fc1": 7},
        # outer1, shortcut and outer2 end in one sum
        "Residual": {"stem.0": 4, "inner1.0": 5, "outer1.0": 8, "inner2.0": 6},
        "Dense": {"stem": 4, "conv1": 3, "conv2": 3},
        # `whole` has 6 + 5 + 3 outputs, each tied to the branch that it is added to
        "Branches": {"stem.0": 5, "right.0.0": 4, "right.2.0": 6, "left.0": 3},
        "Halves": {"wide": 6, "after": 5},
        "Separable": {"stem.0": 4, "point": 6, "last": 5, "squeeze": 3},
        # every 4 outputs of `up` are one channel after the pixel shuffle; `tail` is the output
        "Upscaling": {"head": 5, "up": 4, "more": 6},
        # four of the eight outputs of `outer` are added to zeros that the code counts out: they stay
        "Padded": {"stem.0": 4, "inner.0": 6, "after.0": 5},
        "ChannelsLast": {"conv": 6, "mix": 5},
        # 4 groups of 2 channels in the norm and of 2 to 3 in `wide`; 3 of 2 to 3 in `up`
        "Grouped": {"stem": 4, "mix": 3, "last": 5},
        # 6 channels in two parts, 9 in three; each 4 of the 12 outputs of `last` are one channel afterwards
        "Shuffled": {"stem": 3, "deep": 3, "after": 5, "last": 3},
        # 12 channels are 3 heads of 4, with keys and values; 8 are 4 heads of 2
        "Transformer": {"patches": 6, "qkv": 3, "q": 4, "up": 7},
        # 8 channels are 2 heads of 4: a unit is one place in both heads of queries, keys and values
        "ChannelAttention": {"stem": 5, "qkv": 4, "out": 6},
        "ConvNext": {"stem": 6, "up": 9},
    }

    def test_are_found_and_numbered_in_order_of_execution(self, network):
        assert list(widths(network).items()) == list(self.EXPECTED[type(network).__name__].items())

    def test_list_every_layer_that_produces_them(self, residual):
        assert find_groups(residual, SHAPE).groups[2].layers == ("outer1.0", "shortcut", "outer2.0")

    def test_a_flattened_channel_owns_its_pixels(self, plain):
        axis = find_groups(plain, SHAPE).tensors["fc1.weight"][1]
        assert axis.role == "input"
        assert axis.units.tolist() == [unit for unit in range(5) for _ in range(4)]

    def test_space_before_channels_is_followed_too(self, channels_last):
        axis = find_groups(channels_last, SHAPE).tensors["fc.weight"][1]
        assert axis.units.tolist() == [0, 1, 2, 3, 4] * 4

    def test_only_contracted_axes_are_inputs(self, separable):
        tensors = find_groups(separable, SHAPE).tensors
        roles = {(name, axis.role) for name, axes in tensors.items() for axis in axes if axis.labelled}
        assert ("depth.0.weight", "output") in roles
        assert ("depth.0.weight", "input") not in roles
        assert {("point.weight", "input"), ("point.weight", "output"), ("scale", "output")} <= roles


class TestModelIsLeftAsFound:
    def test_nothing_keeps_the_network_alive(self):
        model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))
        found = find_groups(model, SHAPE)
        smaller = select(model.state_dict(), found, {"0": [0, 2]})
        alive = weakref.ref(model)
        del model
        gc.collect()
        assert alive() is None
        assert smaller["0.weight"].shape == (2, 3, 1, 1)

    def test_modes_gradients_hooks_and_numbers(self, plain):
        model = plain
        model.train()
        model.bn1.eval()
        model.conv1.weight.requires_grad_(False)
        seen = []
        model.conv1.register_forward_hook(lambda *_: seen.append(1))
        modes = [module.training for module in model.modules()]
        before = {name: value.clone() for name, value in model.state_dict().items()}
        assert find_groups(model, SHAPE).groups
        assert [module.training for module in model.modules()] == modes
        assert not model.conv1.weight.requires_grad
        assert model.conv2.weight.requires_grad
        assert len(model.conv1._forward_hooks) == 1
        assert not seen  # the hook was not called on the trace
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())

    def test_frozen_parameters_are_prunable(self, residual):
        assert widths(residual.requires_grad_(False)) == TestGroups.EXPECTED["Residual"]

    def test_works_on_the_meta_device(self, separable):
        assert widths(separable.to("meta")) == TestGroups.EXPECTED["Separable"]


class TestRefused:
    def test_unknown_operator_by_name_and_layer(self):
        model = nn.Sequential()
        model.add_module("first", nn.Conv2d(3, 6, 3))
        model.add_module("unknown", RunningSum())
        model.add_module("second", nn.Conv2d(6, 5, 3))
        model.add_module("last", nn.Conv2d(5, 4, 3))
        found = find_groups(model, SHAPE)
        assert found.widths() == {"second": 5}
        (refused,) = found.refused
        assert (refused.layers, refused.operator, refused.where) == (("first",), "aten.cumsum.default", "unknown")
        assert "no rule" in refused.reason

    def test_the_rest_is_pruned_to_a_valid_network(self, image):
        model = Network(lambda self, x: self.middle(x.cumsum(1)).relu()).double().eval()
        found = find_groups(model, SHAPE)
        assert found.widths() == {"middle": 8}
        masked, state = mask(model.state_dict(), found, {"middle": [1, 4]}), model.state_dict()
        model.load_state_dict(masked)
        expected = model(image)
        load_resized(model, select(state, found, {"middle": [1, 4]}))
        torch.testing.assert_close(model(image), expected)

    @pytest.mark.parametrize(
        ("body", "read", "operator"),
        [
            (lambda self, x: x.view(2, 2, 4, 8, 8).transpose(1, 2).reshape(2, 8, 8, 8), 8, "second trace"),
            (lambda self, x: x.softmax(1), 8, "aten.softmax.int"),
            (lambda self, x: functional.group_norm(x, 2), 8, "second trace"),  # the code says how many groups
            (lambda self, x: functional.layer_norm(x, (8, 8, 8)), 8, "second trace"),
            (lambda self, x: x.roll(1, 1), 8, "aten.roll.default"),
            (lambda self, x: x * x.shape[1] ** -0.5, 8, "second trace"),  # fits every size, but not the numbers
            (lambda self, x: 1 / (x + 3), 8, "aten.reciprocal.default"),
            (lambda self, x: x / x, 8, "aten.div.Tensor"),
            (lambda self, x: functional.conv2d(x, self.middle.weight + 1, padding=1), 8, "aten.conv2d.default"),
            (lambda self, x: x[:, torch.arange(7, -1, -1, device=x.device)], 8, "aten.index.Tensor"),
            (lambda self, x: x + torch.linspace(0, 1, 8, device=x.device)[:, None, None], 8, "aten.add.Tensor"),
        ],
        ids=lambda value: value.removeprefix("aten.") if isinstance(value, str) else "",
    )
    def test_operators_that_mix_channels(self, body, read, operator):
        found = find_groups(Network(body, read), SHAPE)
        assert "stem" not in found.widths()
        assert ("stem", operator) in {(layer, group.operator) for group in found.refused for layer in group.layers}

    def test_one_channel_spread_over_many(self):
        class Attention(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem, self.map, self.head = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 1, 1), nn.Conv2d(6, 4, 1)

            def forward(self, x):
                x = self.stem(x)
                return self.head(x * self.map(x).sigmoid())

        found = find_groups(Attention(), SHAPE)
        assert found.widths() == {"stem": 6}
        assert found.refused[0].layers == ("map",)

    def test_excluded_layers_and_what_is_tied_to_them(self, residual):
        found = find_groups(residual, SHAPE, exclude=["shortcut", "inner2"])
        assert list(found.widths()) == ["stem.0", "inner1.0"]
        assert [(group.where, group.reason) for group in found.refused] == [
            ("shortcut", "excluded"),
            ("inner2", "excluded"),
        ]

    def test_excluding_an_unknown_layer_is_an_error(self, plain):
        with pytest.raises(ValueError, match=r"exclude: fc9: no such layers; .*conv1, conv2"):
            find_groups(plain, SHAPE, exclude=["fc9"])

    def test_a_network_that_cannot_be_traced_is_an_error(self):
        with pytest.raises(ValueError, match=r"Linear cannot be traced on an input of shape \(2, 3, 8, 8\)"):
            find_groups(nn.Linear(5, 5), SHAPE)

    def test_code_that_decides_by_values_is_named_with_its_line(self, capfd):
        class Deciding(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 4, 1)

            def forward(self, images):
                if images.mean() > 0.5:
                    images = images * 2
                return self.conv(images)

        with pytest.raises(
            ValueError, match=r"\(test_analysis.py, line \d+: `if images.mean\(\) > 0.5:`\): it decides by values"
        ):
            find_groups(Deciding(), SHAPE)
        assert "def forward" not in capfd.readouterr().err


class TestCodeThatCountsChannels:
    """A static trace cannot tell `x.size(1) // 2` from `4`; the second trace can."""

    @pytest.mark.parametrize(
        ("body", "prunable"),
        [
            (lambda self, x: self.middle(x).view(2, 8, 8, 8), {"stem"}),
            (lambda self, x: self.middle(x).view(2, -1, 8, 8), {"stem", "middle"}),
            # as many channels as another tensor, and coupled with it
            (lambda self, x: self.middle(x).view(*x.shape[:2], 64)[..., None], {"stem"}),
            # no shape is wrong when the first half is cut, only the numbers are
            (lambda self, x: torch.cat([x[:, :4].relu(), x[:, 4:].sigmoid()], 1), {"stem#2"}),
            (lambda self, x: torch.cat([x[:, : x.shape[1] // 2].relu(), x[:, x.shape[1] // 2 :].sigmoid()], 1), set()),
            (lambda self, x: torch.cat([part * part for part in x.chunk(2, 1)], 1), {"stem"}),  # 4 units of 2 channels
            # nothing reads the second half of `middle`
            (lambda self, x: torch.cat([x[:, :4] + x[:, 4:], self.middle(x)[:, :4]], 1), {"middle#2"}),
        ],
        ids=["view-8", "view--1", "view-other-tensor", "slice-4", "unequal-halves", "equal-halves", "mixed"],
    )
    def test_only_what_follows_its_input_is_prunable(self, body, prunable):
        assert set(find_groups(Network(body), SHAPE).widths()) == prunable

    def test_refusal_names_the_layer(self):
        found = find_groups(Network(lambda self, x: self.middle(x).view(2, 8, 8, 8)), SHAPE)
        assert found.widths() == {"stem": 8}
        assert (found.refused[0].layers, found.refused[0].operator) == (("middle",), "second trace")


def write_to_a_slice(self, x):
    y = x.clone()
    y[:, :4].mul_(2)
    return y


def fill_a_buffer(self, x):
    y = torch.zeros_like(x)
    y[:, ::2] = x[:, ::2]
    return y


class TestNeverWrong:
    """Whatever is found in code off the beaten track: the sliced network equals the masked one."""

    @pytest.mark.parametrize(
        "body",
        [
            write_to_a_slice,
            fill_a_buffer,
            lambda self, x: torch.cat([x[:, 1:], x[:, :1]], 1),
            lambda self, x: torch.stack([x, self.middle(x)], 1).sum(1),
            lambda self, x: torch.where(x > 0, x, self.middle(x)),
            lambda self, x: torch.clamp(x, max=self.middle(x)),
            lambda self, x: self.middle(x) + x.mean((2, 3), keepdim=True),
            lambda self, x: x + self.middle.bias[:, None, None],
            lambda self, x: x.reshape(2, 8, 64).permute(1, 0, 2).reshape(8, 2, 8, 8).transpose(0, 1),
            lambda self, x: functional.glu(torch.cat([x, self.middle(x)], 1), 1),
        ],
        ids=["write", "fill", "rotate", "stack", "where", "clamp", "mean", "bias", "reshape", "glu"],
    )
    def test_sliced_equals_masked(self, body, image):
        model = Network(body).double().eval()
        found = find_groups(model, SHAPE)
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        for count in (1, 3, 6):
            index = {group.name: range(min(count, group.width)) for group in found.groups}
            load_resized(model, mask(state, found, index))
            expected = model(image)
            load_resized(model, select(state, found, index))
            torch.testing.assert_close(model(image), expected)


class TestAuxiliaryHeads:
    def test_layers_of_the_training_pass_are_cut_along(self):
        class Auxiliary(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem, self.head, self.aux = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 4, 3), nn.Conv2d(6, 4, 1)

            def forward(self, x):
                x = self.stem(x)
                return (self.head(x), self.aux(x)) if self.training else self.head(x)

        found = find_groups(Auxiliary(), SHAPE)
        assert found.widths() == {"stem": 6}
        assert found.tensors["aux.weight"][1].role == "input"


class TwoImages(nn.Module):
    """A branch for each of two images."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(1, 6, 3), nn.Linear(10, 2)

    def forward(self, left, right):
        joint = torch.cat((self.left(left).mean((2, 3)), self.right(right).mean((2, 3))), 1)
        return {"logits": self.head(joint), "brightness": [left.mean((1, 2, 3))]}


class TestInputs:
    def test_two_images_have_a_branch_each_and_a_mapping_is_compared_tensor_by_tensor(self):
        network = TwoImages()
        inputs = InputSpec.of_sample((torch.rand(3, 8, 8), torch.rand(1, 6, 6)))
        found = find_groups(network, inputs)
        assert found.widths() == {"left": 4, "right": 6}
        assert prove(network, inputs, found, ratio=0.5, generator=torch.Generator().manual_seed(0)).holds()

    def test_tokens_come_by_name_and_a_dataclass_goes_out(self):
        found = find_groups(Tokens(), INPUTS)
        assert found.widths() == {"embedding": 4, "hidden": 8}
        assert prove(Tokens(), INPUTS, found, ratio=0.5, generator=torch.Generator().manual_seed(0)).holds()
