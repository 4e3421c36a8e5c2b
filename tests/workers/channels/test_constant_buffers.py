"""Buffers that are no part of a network's state follow where all their entries along an axis are equal."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from workers.channels import attach, find_groups, load_resized, select
from workers.channels.proof import prove
from workers.integral.network import IntegralNetwork

SHAPE = (6, 5)


class Attention(nn.Module):
    """The bias of queries, keys and values is put together from two parameters and a buffer, as in BEiT."""

    def __init__(self, keys):
        super().__init__()
        self.heads, self.qkv, self.out = 3, nn.Linear(12, 36, bias=False), nn.Linear(12, 12)
        self.q, self.v = nn.Parameter(torch.randn(12)), nn.Parameter(torch.randn(12))
        self.register_buffer("k", keys, persistent=False)

    def forward(self, x):
        n, t, _ = x.shape
        whole = functional.linear(x, self.qkv.weight, torch.cat((self.q, self.k, self.v)))
        q, k, v = whole.reshape(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        y = functional.scaled_dot_product_attention(q, k, v, scale=0.5)
        return self.out(y.transpose(1, 2).reshape(n, t, -1))


def network(keys):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 12), Attention(keys), nn.Linear(12, 4)).eval()


@pytest.fixture(scope="module")
def found():
    return find_groups(network(torch.full((12,), 0.7)), SHAPE)


def test_a_constant_bias_of_keys_goes_with_its_heads(found):
    model = network(torch.full((12,), 0.7))
    assert found.widths() == {"0": 12, "1.qkv": 3, "1.out": 12}
    assert ("1", "k", 0) in {(each.module, each.name, each.position) for each in found.attributes}
    proof = prove(model, SHAPE, found, ratio=0.4, generator=torch.Generator().manual_seed(0))
    assert proof.holds(1e-9), proof


def test_one_that_differs_from_entry_to_entry_stays():
    assert "1.qkv" not in find_groups(network(torch.arange(12.0)), SHAPE).widths()


def test_it_grows_again(found):
    model = network(torch.full((12,), 0.7))
    state = model.state_dict()
    attach(model, found.attributes)
    load_resized(model, select(state, found, {"1.qkv": [0, 2]}))
    assert model[1].k.shape == (8,)
    load_resized(model, state)
    assert torch.equal(model[1].k, torch.full((12,), 0.7))


def test_an_integral_network_trains_with_it(found):
    model = network(torch.full((12,), 0.7))
    attach(model, found.attributes)
    integral = IntegralNetwork(copy.deepcopy(model), found)
    integral.resize({"1.qkv": 2})
    assert integral.train()(torch.rand(2, *SHAPE)).isfinite().all()
    assert integral.export()[1].k.shape == (8,)
