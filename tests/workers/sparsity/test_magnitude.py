import pytest
import torch
from torch import nn

from workers.models import build
from workers.sparsity import magnitude_masks, prunable_weights, removed_after

# Sorted by magnitude: 0.1 0.2 0.3 (of a), 1 (b), 2 (b), 4 (a), 5, 6 (b).
WEIGHTS = {"a": torch.tensor([[0.1, -4.0], [0.2, -0.3]]), "b": torch.tensor([-1.0, 5.0, 2.0, 6.0])}


def kept(masks):
    return {name: mask.flatten().int().tolist() for name, mask in masks.items()}


def test_one_threshold_takes_the_smallest_of_all():
    assert kept(magnitude_masks(WEIGHTS, removed=4, scope="global")) == {"a": [0, 1, 0, 0], "b": [0, 1, 1, 1]}


def test_by_layer_each_loses_the_same_fraction():
    # Half of each: 0.1 and 0.2; 1 and 2.
    assert kept(magnitude_masks(WEIGHTS, removed=4, scope="layer")) == {"a": [0, 1, 0, 1], "b": [0, 1, 0, 1]}


def test_rounding_by_layer_keeps_the_sum():
    # 3 of 8 are 1.5 of 4: two of the first, one of the second.
    masks = magnitude_masks(WEIGHTS, removed=3, scope="layer")
    assert [int((~mask).sum()) for mask in masks.values()] == [2, 1]


def test_the_largest_weight_of_every_layer_stays():
    masks = magnitude_masks({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([30.0, 40.0])}, removed=2, scope="global")
    assert kept(masks) == {"a": [0, 1], "b": [0, 1]}  # by magnitude alone both weights of `a` would go


def test_what_was_gone_goes_first():
    present = {"a": torch.tensor([[True, False], [True, True]]), "b": torch.ones(4, dtype=torch.bool)}
    assert kept(magnitude_masks(WEIGHTS, removed=2, scope="global", present=present))["a"] == [0, 0, 1, 1]


def test_more_than_there_is_is_refused():
    with pytest.raises(ValueError, match=r"7 of 8 weights should be removed; 0\.\.6 can be"):
        magnitude_masks(WEIGHTS, removed=7, scope="global")


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_where_no_weights_may_go_there_are_no_masks(scope):
    assert magnitude_masks({}, removed=0, scope=scope) == {}


def test_three_rounds_take_the_same_share_of_what_is_left():
    # An eighth is left in the end: half, a quarter, an eighth of 800.
    assert [removed_after(number, 3, removed=700, total=800) for number in (1, 2, 3)] == [400, 600, 700]


def test_weights_of_convolutions_may_go_and_linear_ones_if_asked():
    model = build("plain", {"widths": [2, 3]})
    assert prunable_weights(model) == ["features.0.weight", "features.4.weight"]
    assert prunable_weights(model, linear=True) == ["features.0.weight", "features.4.weight", "linear.weight"]


def test_a_shared_weight_is_named_once():
    first, second = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
    second.weight = first.weight
    assert prunable_weights(nn.Sequential(first, second)) == ["0.weight"]
