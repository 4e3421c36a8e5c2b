"""Sizes that stand in attributes follow a cut; heads go as units."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from workers.channels import find_groups
from workers.channels.proof import prove


def check(model, shape, *ratios):
    """The map of a network, which has to stand the proof at these ratios."""
    torch.manual_seed(0)
    found = find_groups(model.eval(), shape)
    for ratio in ratios or (0.4, 0.7):
        proof = prove(model, shape, found, ratio=ratio, generator=torch.Generator().manual_seed(0))
        assert proof.holds(1e-9), proof
        assert proof.change > 1e-6
    return found


def numbers(found):
    return {(attribute.module, attribute.name, attribute.position) for attribute in found.attributes}


class Attention(nn.Module):
    """Queries, keys and values from one layer; the heads' joint width stands in an attribute."""

    def __init__(self, width=12, heads=3, joint="attribute"):
        super().__init__()
        self.heads, self.length, self.joint = heads, width // heads, joint
        self.total = width
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, self.length).permute(2, 0, 3, 1, 4).unbind(0)
        y = (q @ k.transpose(-2, -1) * self.length**-0.5).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(n, t, self.total if self.joint == "attribute" else c))


class Transformer(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.embed, self.norm, self.attention = nn.Linear(5, 12), nn.LayerNorm(12), attention
        self.classes = nn.Linear(12, 4)

    def forward(self, x):
        x = self.embed(x)
        return self.classes((x + self.attention(self.norm(x))).mean(1))


def test_heads_go_one_by_one_and_the_stream_by_itself():
    found = check(Transformer(Attention()), (6, 5))
    assert found.widths() == {"embed": 12, "attention.qkv": 3}
    assert numbers(found) == {("attention", "heads", None), ("attention", "total", None)}


def test_heads_that_take_their_width_from_the_input_go_with_its_channels():
    found = check(Transformer(Attention(joint="input")), (6, 5))
    assert found.widths() == {"embed": 3}
    assert numbers(found) == {("attention", "heads", None)}


class Grouped(nn.Module):
    """Four heads of queries, two of keys and values."""

    def __init__(self, fused):
        super().__init__()
        self.fused = fused
        self.q, self.k, self.v, self.out = nn.Linear(12, 16), nn.Linear(12, 8), nn.Linear(12, 8), nn.Linear(16, 12)

    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (-1, 4)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        if not self.fused:
            k, v = (each.repeat_interleave(2, 1) for each in (k, v))
        y = functional.scaled_dot_product_attention(q, k, v, enable_gqa=self.fused)
        return self.out(y.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("fused", [True, False])
def test_queries_go_with_the_keys_that_they_share(fused):
    found = check(Transformer(Grouped(fused)), (6, 5), 0.5)
    assert found.widths() == {"embed": 12, "attention.q": 2}


class Biased(Attention):
    """A learnt bias for each head and distance, looked up in a table."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(11, 3))
        self.register_buffer("place", torch.arange(6)[:, None] - torch.arange(6) + 5)

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.table[self.place.view(-1)].view(t, t, -1).permute(2, 0, 1)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        return self.out(y.transpose(1, 2).reshape(n, t, -1))


def test_a_table_of_biases_loses_the_columns_of_its_heads():
    found = check(Transformer(Biased()), (6, 5))
    assert found.widths() == {"embed": 12, "attention.qkv": 3}
    assert any(owned.tensor == "attention.table" and owned.axis == 1 for owned in found.owned_axes())


class Parts(nn.Module):
    """A convolution of some channels, beside the others as they are; `how` says how they are told apart."""

    def __init__(self, how):
        super().__init__()
        self.how, self.sizes, self.first = how, [4, 8], 4
        self.stem, self.part, self.head = nn.Conv2d(3, 12, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(12, 2, 1)

    def forward(self, x):
        x = self.stem(x)
        if self.how == "attribute":
            one, other = x.split(self.sizes, 1)
        elif self.how == "slice":
            one, other = x[:, : self.first], x[:, self.first :]
        else:
            one, other = x.split([4, 8], 1)
        return self.head(torch.cat([self.part(one), other], 1))


@pytest.mark.parametrize(
    ("how", "expected"),
    [("attribute", {("", "sizes", 0), ("", "sizes", 1)}), ("slice", {("", "first", None)})],
)
def test_sizes_of_parts_follow(how, expected):
    found = check(Parts(how), (3, 4, 4))
    assert found.widths() == {"stem": 4, "stem#2": 8, "part": 4}
    assert numbers(found) == expected


def test_sizes_that_stand_in_the_code_keep_their_channels():
    found = check(Parts("code"), (3, 4, 4))
    assert found.widths() == {"part": 4}
    assert {layer for refused in found.refused for layer in refused.layers} == {"stem"}
    assert "does not run with fewer" in found.refused[0].reason


class Reduced(nn.Module):
    """A layer whose result takes its width from the input, as in attention with a shorter sequence of keys."""

    def __init__(self):
        super().__init__()
        self.stem, self.reduce, self.head = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 2, 2), nn.Linear(6, 2)

    def forward(self, x):
        x = self.stem(x)
        n, c, _, _ = x.shape
        return self.head(self.reduce(x).reshape(n, c, -1).mean(2))


def test_a_result_that_takes_its_width_from_the_input_goes_with_it():
    assert check(Reduced(), (3, 4, 4)).widths() == {"stem": 6}


class Alike(nn.Module):
    """A number that equals a width by chance, and one that says so."""

    def __init__(self):
        super().__init__()
        self.steps, self.width = 6, 6
        self.one, self.two = nn.Linear(5, 6), nn.Linear(6, 2)

    def forward(self, x):
        x = self.one(x).reshape(-1, 6, self.width)
        return self.two(x).sum(1) / self.steps


def test_a_number_that_equals_a_width_by_chance_stays():
    assert numbers(check(Alike(), (6, 5))) == {("", "width", None)}


class Reduction(nn.Module):
    """Attention to fewer places: heads, the layer that makes them fewer and the stream share the input's width."""

    def __init__(self):
        super().__init__()
        self.heads = 3
        self.reduce, self.q, self.kv, self.out = (
            nn.Conv1d(12, 12, 2, 2),
            nn.Linear(12, 12),
            nn.Linear(12, 24),
            nn.Linear(12, 12),
        )

    def forward(self, x):
        n, t, c = x.shape
        q = self.q(x).reshape(n, t, self.heads, 4).transpose(1, 2)
        fewer = self.reduce(x.transpose(1, 2)).reshape(n, c, -1).transpose(1, 2)
        k, v = self.kv(fewer).reshape(n, -1, 2, self.heads, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = functional.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(n, t, c))


def test_all_that_takes_its_width_from_one_input_goes_together():
    found = check(Transformer(Reduction()), (6, 5))
    assert found.widths() == {"embed": 3}
    assert "attention.reduce" in found.groups[0].layers


class Windows(nn.Module):
    """A convolution over the places of each head's values, which are put together and taken apart again."""

    def __init__(self):
        super().__init__()
        self.heads, self.parts = 3, (4, 8)
        self.qv, self.out = nn.Linear(12, 24), nn.Linear(12, 12)
        self.one, self.two = nn.Conv1d(4, 4, 3, padding=1, groups=4), nn.Conv1d(8, 8, 3, padding=1, groups=8)

    def forward(self, x):
        n, t, c = x.shape
        q, v = self.qv(x).reshape(n, t, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ (v.transpose(-2, -1) @ v)
        n, heads, t, length = q.shape
        one, two = v.transpose(-1, -2).reshape(n, heads * length, t).split(self.parts, 1)
        around = torch.cat([self.one(one), self.two(two)], 1).reshape(n, heads, length, t).transpose(-1, -2)
        return self.out((scores + q * around).transpose(1, 2).reshape(n, t, c))


def test_what_is_taken_apart_as_heads_are_is_heads():
    found = check(Transformer(Windows()), (6, 5), 0.4)
    assert sum(found.widths().values()) == 3
    assert {("attention", "heads", None), ("attention", "parts", 1)} <= numbers(found)


class Places(nn.Module):
    """A bias of every head for every place, from a table of places; and a bias of which a part is set to zero."""

    def __init__(self):
        super().__init__()
        self.heads = 3
        self.qk, self.out, self.bias = nn.Linear(12, 24), nn.Linear(12, 12), nn.Linear(2, 3, bias=False)
        self.register_buffer("table", torch.rand(2, 3, 2))

    def forward(self, x):
        n, t, c = x.shape
        bias = self.qk.bias.clone()
        length = bias.numel() // 2
        bias[length:].zero_()
        q, k = functional.linear(x, self.qk.weight, bias).reshape(n, t, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = (q @ k.transpose(-2, -1) + self.bias(self.table).view(-1, self.heads).t()[:, None]).softmax(-1) @ k
        return self.out(y.transpose(1, 2).reshape(n, t, c))


def test_places_of_a_table_are_no_channels_and_parts_of_a_bias_may_be_zero():
    found = check(Transformer(Places()), (6, 5), 0.4)
    assert found.widths() == {"embed": 3}
    assert "attention.qk" in found.groups[0].layers


class Partial(nn.Module):
    """A shortcut into the first of its outputs, whose number is an attribute, as in ReXNet."""

    def __init__(self):
        super().__init__()
        self.first, self.inner = 5, nn.Conv2d(5, 9, 1)

    def forward(self, x):
        y = self.inner(x)
        return torch.cat([y[:, : self.first] + x, y[:, self.first :]], 1)


def test_a_slice_up_to_a_number_has_that_length():
    model = nn.Sequential(nn.Conv2d(3, 5, 1), Partial(), nn.ReLU(), nn.Conv2d(9, 2, 1))
    found = check(model, (3, 4, 4))
    assert found.widths() == {"0": 5, "1.inner": 4}
    assert numbers(found) == {("1", "first", None)}


class Halves(nn.Module):
    """Each half of the inputs by itself; how many they are is computed from an attribute, as in SKNet."""

    def __init__(self):
        super().__init__()
        self.inputs, self.paths = 8, nn.ModuleList(nn.Conv2d(4, 6, 1) for _ in range(2))

    def forward(self, x):
        parts = torch.split(x, self.inputs // 2, 1)
        return sum(path(part) for path, part in zip(self.paths, parts, strict=True))


def test_a_number_may_be_the_size_of_what_a_module_is_given():
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), Halves(), nn.ReLU(), nn.Conv2d(6, 2, 1))
    found = check(model, (3, 4, 4))
    assert found.widths() == {"0": 4, "2.paths.0": 6}
    assert numbers(found) == {("2", "inputs", None)}


class Bare(nn.Module):
    """A residual stream with a norm that has no tensors, and a branch."""

    def __init__(self, norm):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 12, 1), norm
        self.wide, self.back, self.head = nn.Conv2d(12, 8, 1), nn.Conv2d(8, 12, 1), nn.Linear(12, 2)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.back(self.wide(self.norm(x)).relu())
        return self.head(x.mean((2, 3)))


class Turned(nn.Module):
    """A norm over channels, which come last for it."""

    def __init__(self, norm):
        super().__init__()
        self.inner = norm

    def forward(self, x):
        return self.inner(x.movedim(1, -1)).movedim(-1, 1)


@pytest.mark.parametrize(
    ("norm", "width", "expected"),
    [
        (Turned(nn.LayerNorm(12, elementwise_affine=False)), 12, {("norm.inner", "normalized_shape", 0)}),
        (Turned(nn.RMSNorm(12, elementwise_affine=False)), 12, {("norm.inner", "normalized_shape", 0)}),
        (nn.LayerNorm((12, 4, 4), elementwise_affine=False), 12, {("norm", "normalized_shape", 0)}),
        (nn.GroupNorm(4, 12, affine=False), 4, {("norm", "num_groups", None), ("norm", "num_channels", None)}),
        (nn.GroupNorm(1, 12, affine=False), 12, set()),
    ],
)
def test_the_sizes_of_norms_without_tensors_follow(norm, width, expected):
    found = check(Bare(norm), (3, 4, 4), 0.5)
    assert found.widths() == {"stem": width, "wide": 8}
    assert numbers(found) == expected


def test_a_norm_without_tensors_that_is_called_twice_couples_what_it_is_called_with():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other, self.head = nn.Linear(5, 12), nn.Linear(5, 12), nn.Linear(24, 2)
            self.norm = nn.GroupNorm(4, 12, affine=False)

        def forward(self, x):
            return self.head(torch.cat([self.norm(self.one(x)), self.norm(self.other(x))], 1))

    assert check(Twice(), (5,), 0.5).widths() == {"one": 4}
