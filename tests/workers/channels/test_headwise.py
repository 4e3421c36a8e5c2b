"""Heads of torch's own attention, which go without their part of the stream."""

from itertools import product

import pytest
import torch
from torch import nn

from workers.channels import MacCount, build_resized, find_groups, load_resized, select
from workers.channels.headwise import HeadwiseAttention, free_heads
from workers.channels.proof import prove

SHAPE = (6, 5)


class Encoder(nn.Module):
    """Tokens of 5 numbers, widened to 12; layers of torch's encoder with 3 heads of 4."""

    def __init__(self, heads=3, **options):
        super().__init__()
        options = {"batch_first": True, **options}
        self.embed, self.classes = nn.Linear(5, 12), nn.Linear(12, 4)
        layer = nn.TransformerEncoderLayer(12, heads, 8, dropout=0.0, **options)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.first = options["batch_first"]

    def forward(self, x):
        x = self.embed(x)
        return self.classes(
            (self.encoder(x) if self.first else self.encoder(x.transpose(0, 1)).transpose(0, 1)).mean(1)
        )


class Cross(nn.Module):
    """One token asks; the others answer. Attention weights are read, too."""

    def __init__(self, **options):
        super().__init__()
        self.embed, self.ask, self.classes = nn.Linear(5, 12), nn.Parameter(torch.randn(1, 1, 12)), nn.Linear(12, 4)
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True, **options)

    def forward(self, x):
        x = self.embed(x)
        y, weights = self.attention(self.ask.expand(len(x), -1, -1), x, x)
        return self.classes(y[:, 0] + (weights @ x)[:, 0])


def check(model, ratio=0.5):
    torch.manual_seed(0)
    found = find_groups(model.eval(), SHAPE)
    proof = prove(model, SHAPE, found, ratio=ratio, generator=torch.Generator().manual_seed(0))
    assert proof.holds(1e-9), proof
    return found


HEADS = {f"encoder.layers.{number}.self_attn.in_proj_weight": 3 for number in (0, 1)}
INNER = {f"encoder.layers.{number}.linear1": 8 for number in (0, 1)}


@pytest.mark.parametrize("options", [{}, {"batch_first": False, "norm_first": True, "bias": False}])
def test_every_layers_heads_and_the_stream_go_by_themselves(options):
    found = check(Encoder(**options))
    assert found.widths() == {"embed": 12} | HEADS | INNER
    assert not found.refused
    assert not found.attributes  # all of it can be seen from the tensors


def test_heads_whose_weights_are_read():
    assert check(Cross()).widths() == {"attention.in_proj_weight": 3, "embed": 12}


def test_its_weights_count_once_for_each_token():
    found = find_groups(Cross(), SHAPE)
    # 6 tokens are keys and values, one is a query: 1/3 * 1 + 2/3 * 6
    assert found.applications["attention.in_proj_weight"] == round(1 / 3 + 2 / 3 * 6)
    assert MacCount(found)({"attention.in_proj_weight": 2}) < MacCount(found)({})


def test_what_torchs_layer_can_do_by_itself_it_does():
    def cut(**kept):
        model = Encoder()
        names = dict(zip(kept, found.widths(), strict=False)) | {"heads": next(iter(HEADS))}
        load_resized(model, select(model.state_dict(), found, {names[name]: range(n) for name, n in kept.items()}))
        return type(model.encoder.layers[0].self_attn)

    found = find_groups(Encoder(), SHAPE)
    assert cut() is nn.MultiheadAttention
    assert cut(embed=8, heads=2) is nn.MultiheadAttention  # two heads of 4, in a stream of 8
    assert cut(embed=8) is HeadwiseAttention


def test_layers_with_further_keys_keep_torchs_class():
    for options in ({"add_bias_kv": True}, {"add_zero_attn": True}, {"kdim": 5}):
        attention = nn.MultiheadAttention(12, 3, **options)
        free_heads(attention)
        assert type(attention) is nn.MultiheadAttention


@pytest.mark.parametrize(("first", "weights", "bias"), list(product([True, False], repeat=3)))
def test_it_computes_what_torchs_layer_computes(first, weights, bias):
    torch.manual_seed(0)
    own = nn.MultiheadAttention(12, 3, batch_first=first, bias=bias, dropout=0.5).double().eval()
    query, key = torch.randn(2, 6, 12).double(), torch.randn(2, 6, 12).double()
    samples, tokens = (2, 6) if first else (6, 2)
    causal = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
    padding = torch.zeros(samples, tokens, dtype=torch.bool)
    padding[0, -1] = True
    calls = [
        ((query, query, query), {}),
        ((query, key, key), {"key_padding_mask": padding}),
        ((query, key, key * 2), {"attn_mask": causal, "key_padding_mask": padding}),
        ((query, query, query), {"attn_mask": causal, "is_causal": True}),
        ((query, key, key), {"attn_mask": torch.randn(samples * 3, tokens, tokens).double()}),
        ((query[0], key[0], key[0]), {"average_attn_weights": False}),
    ]
    expected = [own(*args, need_weights=weights, **options) for args, options in calls]
    free_heads(own)
    assert isinstance(own, HeadwiseAttention)
    for (args, options), (result, scores) in zip(calls, expected, strict=True):
        found, found_scores = own(*args, need_weights=weights, **options)
        torch.testing.assert_close(found, result)
        assert (found_scores is None) == (scores is None)
        if scores is not None:
            torch.testing.assert_close(found_scores, scores)


def test_a_causal_hint_needs_a_mask():
    own = nn.MultiheadAttention(12, 3)
    free_heads(own)
    with pytest.raises(RuntimeError, match="needs attn_mask"):
        own(*[torch.zeros(2, 2, 12)] * 3, is_causal=True)


def test_torchs_kernel_for_a_whole_layer_is_not_used_for_other_shapes():
    torch.manual_seed(0)
    model = Encoder(heads=6).eval()
    found = find_groups(model, SHAPE)
    load_resized(model, select(model.state_dict(), found, dict.fromkeys(HEADS, range(4))))
    images = torch.randn(2, *SHAPE)
    with torch.inference_mode():
        result = model(images)
    torch.testing.assert_close(result, model(images).detach())


def test_it_is_built_anew_at_other_widths():
    found = find_groups(Cross(), SHAPE)
    state = select(Cross().state_dict(), found, {"attention.in_proj_weight": [0, 2]})
    small = build_resized(Cross, {name: tuple(tensor.shape) for name, tensor in state.items()})
    assert small.attention.num_heads == 2
    assert small(torch.randn(2, *SHAPE)).shape == (2, 4)
