"""Features of layers, compared by hand."""

import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.distillation._features import distance, find_layers, reading


class Block(nn.Module):
    """A convolution by 1 and an activation that writes into its input; returns a pair."""

    def __init__(self, width):
        super().__init__()
        self.conv, self.act = nn.Conv2d(1, width, 1, bias=False), nn.ReLU(inplace=True)

    def forward(self, inputs):
        features = self.act(self.conv(inputs))
        return features, features.sum()


def net(width=2, blocks=2):
    return nn.ModuleDict({"stage": nn.ModuleList(Block(width) for _ in range(blocks)), "head": nn.Linear(1, 1)})


def test_a_star_ends_at_a_dot():
    assert find_layers(["stage.*"], net()) == ("stage.0", "stage.1")
    assert find_layers(["*", "stage.?.conv"], net()) == ("stage", "stage.0.conv", "stage.1.conv", "head")


def test_layers_are_those_that_both_networks_have():
    assert find_layers(["stage.*"], net(), net(blocks=1)) == ("stage.0",)


def test_a_pattern_that_matches_nothing_names_the_nearest():
    with pytest.raises(BadInputError, match=r"'stag\.0' matches no layer of the network; nearest: stage\.0"):
        find_layers(["head", "stag.0"], net())


def test_what_a_layer_returned_is_kept_as_it_was():
    block, inputs = Block(1), torch.tensor([-1.0, 2.0]).view(1, 1, 1, 2)
    nn.init.ones_(block.conv.weight)
    with reading(block, ["conv", "act"]) as found:
        block(inputs)
    block(inputs)  # is not read
    assert [found[name][0].flatten().tolist() for name in ("conv", "act")] == [[-1, 2], [0, 2]]
    assert len(found["conv"]) == 1


def test_a_layer_that_returns_more_than_a_tensor_is_no_feature():
    network = nn.Sequential(Block(1))
    with (
        pytest.raises(BadInputError, match="layer '0' returns tuple; name layers that return one tensor"),
        reading(network, ["0"]),
    ):
        network(torch.zeros(1, 1, 1, 1))


def one(**maps):
    return {name: [torch.tensor(each)] for name, each in maps.items()}


def test_of_equal_widths_it_is_the_squared_distance_of_unit_vectors():
    """(3, 4) and (4, 3): 2 - 2 x 24/25; scale counts for nothing, and layers are averaged."""
    assert float(distance(one(a=[[30.0, 40.0]]), one(a=[[4.0, 3.0]]))) == pytest.approx(2 - 48 / 25)
    both = distance(one(a=[[3.0, 4.0]], b=[[1.0, 0.0]]), one(a=[[4.0, 3.0]], b=[[0.0, 2.0]]))
    assert float(both) == pytest.approx((2 - 48 / 25 + 2) / 2)


def test_of_other_widths_it_is_that_of_attention_maps():
    """One channel (1, 2) has the map (1, 4); two channels (1, 0) and (0, 1) have (1, 1)."""
    found = distance(one(a=[[[1.0, 2.0]]]), one(a=[[[1.0, 0.0], [0.0, 1.0]]]))
    assert float(found) == pytest.approx(2 - 2 * 5 / (17 * 2) ** 0.5)


def test_the_channels_may_be_on_the_last_axis():
    tokens = torch.rand(2, 3, 4), torch.rand(2, 3, 5)
    turned = [each.transpose(1, 2) for each in tokens]
    assert torch.equal(
        distance({"a": [tokens[0]]}, {"a": [tokens[1]]}), distance({"a": [turned[0]]}, {"a": [turned[1]]})
    )


def test_features_of_zeros_have_gradients():
    found = torch.zeros(2, 3, 4, requires_grad=True)
    distance({"a": [found]}, {"a": [torch.ones(2, 3, 4)]}).backward()
    assert bool(found.grad.isfinite().all())


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        ((2, 3), (2, 4), "without positions, other widths cannot be compared"),
        ((2, 3, 5), (2, 4, 6), "may differ in one axis, that of the channels"),
        ((3, 3, 5), (2, 3, 5), "may differ in one axis, that of the channels"),
    ],
    ids=["vectors", "sizes", "samples"],
)
def test_what_cannot_be_compared_is_named(found, wanted, said):
    with pytest.raises(BadInputError, match=f"layer 'a' returns .*{said}"):
        distance({"a": [torch.ones(found)]}, {"a": [torch.ones(wanted)]})


def test_a_layer_that_is_never_called_is_named():
    with pytest.raises(BadInputError, match="layer 'a' is called 0 times by the dense network and 0 times"):
        distance({"a": []}, {"a": []})
