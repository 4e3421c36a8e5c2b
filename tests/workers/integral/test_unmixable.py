"""Networks in which every two channels are equal: with one of each they compute the same, or say why they cannot.

Where something sums over channels without a weight, a merged channel cannot stand for several.
"""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from jobs.spec.inputs import TensorSpec
from workers.channels import ChannelMap, find_groups, load_resized
from workers.inputs import InputSpec
from workers.integral import QUADRATURES, nodes_of, resample
from workers.integral.algorithm1 import DrawnSizes
from workers.integral.network import IntegralNetwork

SHAPE = (3, 6, 6)


def with_equal_channels(state, channel_map):
    """The tensors with what every second unit writes equal to what the one before it does."""
    state = {name: tensor.clone() for name, tensor in state.items()}
    for owned in channel_map.owned_axes():
        if owned.layout.role == "output":
            places = torch.from_numpy(owned.layout.positions(owned.group_index))
            rows = state[owned.tensor].index_select(owned.axis, places[::2].reshape(-1))
            state[owned.tensor].index_copy_(owned.axis, places[1::2].reshape(-1), rows)
    return state


def halves(channel_map, groups):
    """Nodes of cells of two channels, for groups of a map."""
    widths = channel_map.widths()
    return {name: nodes_of(torch.full((widths[name] // 2,), 2 / widths[name]).double()) for name in groups}


def merged(network, inputs, shape=SHAPE):
    """The map; that the network with one of every two equal channels computes the same is checked on the way."""
    torch.manual_seed(0)
    network = network.double().eval()
    channel_map = find_groups(network, shape)
    state = with_equal_channels(network.state_dict(), channel_map)
    network.load_state_dict(state)
    smaller = copy.deepcopy(network)
    nodes = halves(channel_map, [group.name for group in channel_map.groups if not group.unmixable])
    load_resized(smaller, resample(state, channel_map, nodes, QUADRATURES["means"]))
    torch.testing.assert_close(smaller(inputs), network(inputs), rtol=1e-9, atol=1e-9)
    return channel_map


class Stem(nn.Module):
    """Two layers of 8 channels each, something between them and a third one, given as a function."""

    def __init__(self, body, read=8):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1)
        self.body, self.head, self.scale = body, nn.Conv2d(read, 6, 1), nn.Parameter(torch.rand(8, 1, 1))

    def forward(self, x):
        return self.head(self.body(self, self.first(x), self.second(x))).flatten(2).mean(2)


class NonLocal(nn.Module):
    """Pixels that look at each other, as in Wang et al. 2018; with a softmax or without."""

    def __init__(self, weigh):
        super().__init__()
        self.stem, self.head, self.weigh = nn.Conv2d(3, 8, 1), nn.Linear(8, 5), weigh
        self.theta, self.phi, self.g, self.out = (nn.Conv2d(8, 8, 1) for _ in range(4))

    def forward(self, x):
        x = self.stem(x).relu()
        theta, phi, g = (layer(x).flatten(2) for layer in (self.theta, self.phi, self.g))
        y = self.weigh(theta.transpose(1, 2) @ phi) @ g.transpose(1, 2)
        return self.head((x + self.out(y.transpose(1, 2).unflatten(2, (6, 6)))).mean((2, 3)))


IMAGES = torch.randn(2, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("weigh", [lambda x: x.softmax(-1), lambda x: x / 36])
def test_what_queries_and_keys_share_stays_whole_and_values_do_not(weigh):
    found = merged(NonLocal(weigh), IMAGES)
    reasons = {group.name: group.unmixable for group in found.groups}
    assert reasons == {
        "stem": "",
        "theta": "aten.matmul.default sums over its channels without a weight",
        "g": "",
    }


@pytest.mark.parametrize(
    "body",
    [
        lambda self, a, b: (a * b).sum(1, keepdim=True),
        lambda self, a, b: (a * self.scale + b).sum(1, keepdim=True),
        lambda self, a, b: torch.einsum("nchw,nchw->nhw", a, b)[:, None],
        lambda self, a, b: (a + b).norm(dim=1, keepdim=True),
        lambda self, a, b: torch.linalg.vector_norm(a + b, 1, 1, keepdim=True),
        lambda self, a, b: (a + b).sigmoid().sum(1, keepdim=True),
        lambda self, a, b: (a + b).logsumexp(1, keepdim=True),
        lambda self, a, b: functional.normalize(a + b).mean(1, keepdim=True),
    ],
)
def test_channels_that_are_summed_over_stay_whole(body):
    found = merged(Stem(body, 1), IMAGES)
    assert [bool(group.unmixable) for group in found.groups] == [True]


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (lambda self, a, b: a * b + self.scale, 8),
        (lambda self, a, b: (a * b).mean(1, keepdim=True), 1),
        (lambda self, a, b: a * b.amax(1, keepdim=True), 8),
        (lambda self, a, b: torch.linalg.vector_norm(a + b, float("inf"), 1, keepdim=True), 1),
        (lambda self, a, b: a * functional.layer_norm(b, (8, 6, 6)), 8),
        (lambda self, a, b: a / (1 + b.norm(dim=(2, 3), keepdim=True)), 8),
    ],
)
def test_other_channels_are_merged(body, read):
    assert not any(group.unmixable for group in merged(Stem(body, read), IMAGES).groups)


class Words(nn.Module):
    """A stream of 8 channels that a table of 20 words writes; what scores the words is given as a function."""

    def __init__(self, score):
        super().__init__()
        self.table, self.norm, self.score = nn.Embedding(20, 8), nn.LayerNorm(8), score
        self.up, self.down, self.own = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 20, bias=False)

    def forward(self, words):
        x = self.table(words)
        return self.score(self, self.norm(x + self.down(functional.gelu(self.up(x)))))


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (lambda self, x: self.own(x), ""),
        (
            lambda self, x: functional.linear(x, self.table.weight),
            "table.weight sums over its channels in one place and makes them in another",
        ),
    ],
)
def test_a_table_that_also_scores_words_stays_whole(score, reason):
    words = torch.arange(20).reshape(2, 10)
    spec = InputSpec.of([TensorSpec(shape=(10,), dtype="int64", high=20)])
    assert [group.unmixable for group in merged(Words(score), words, spec).groups] == [reason, ""]


class Autoencoder(nn.Module):
    """One matrix for both ways, and a convolution that is used twice."""

    def __init__(self):
        super().__init__()
        self.stem, self.twice, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Linear(8, 4)
        self.mix = nn.Parameter(torch.randn(8, 12))

    def forward(self, x):
        x = self.twice(self.twice(self.stem(x)).relu()).mean((2, 3))
        return self.head(functional.linear((x @ self.mix).relu(), self.mix))


def test_a_matrix_for_both_ways_is_no_mean_and_sum_at_once():
    found = merged(Autoencoder(), IMAGES)
    reason = "mix sums over its channels in one place and makes them in another"
    assert {group.name: group.unmixable for group in found.groups} == {"stem": reason, "mix": reason}


def test_layers_that_are_used_twice_are_merged():
    class Repeated(Autoencoder):
        def forward(self, x):
            return self.head(self.twice(self.twice(self.stem(x)).relu()).mean((2, 3)))

    assert not any(group.unmixable for group in merged(Repeated(), IMAGES).groups)


@pytest.mark.parametrize(("heads", "width"), [(4, 16), (1, 16)])
def test_heads_are_merged_and_what_is_multiplied_within_them_is_not(heads, width):
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, width, 1), nn.Linear(width, 5)
            self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

        def forward(self, x):
            x = self.stem(x).flatten(2).transpose(1, 2)
            return self.head(x + self.attention(x, x, x, need_weights=False)[0]).mean(1)

    found = merged(Attending(), IMAGES)
    assert not any(group.unmixable for group in found.groups)
    assert ("attention.in_proj_weight" in found.widths()) is (heads > 1)


@pytest.fixture
def non_local():
    network = NonLocal(lambda x: x.softmax(-1)).eval()
    return network, find_groups(network, SHAPE)


def test_whoever_mixes_them_nevertheless_is_stopped(non_local):
    network, channel_map = non_local
    with pytest.raises(ValueError, match=r"group 'theta' keeps all of its 8 channels: aten\.matmul"):
        resample(network.state_dict(), channel_map, halves(channel_map, ["theta"]), QUADRATURES["product"])
    with pytest.raises(ValueError, match=r"group 'theta' cannot be continuous: aten\.matmul"):
        IntegralNetwork(network, channel_map, sizes={"theta": 8})


def test_an_integral_network_leaves_them_discrete(non_local):
    integral = IntegralNetwork(*non_local)
    drawn = DrawnSizes(integral, seed=0, smallest=0.25)
    drawn.train()(IMAGES.float())
    assert integral.sizes.keys() == {"stem", "g"}
    assert integral.export().theta.weight.shape[0] == 8
    torch.testing.assert_close(drawn.eval()(IMAGES.float()), non_local[0](IMAGES.float()))


def test_the_map_of_an_earlier_version_knows_no_such_channels(non_local):
    document = non_local[1].to_json()
    assert ChannelMap.from_json(document) == non_local[1]
    for group in document["groups"]:
        del group["unmixable"]
    assert not any(group.unmixable for group in ChannelMap.from_json(document).groups)
