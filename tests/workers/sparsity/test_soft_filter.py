import pytest
import torch

from jobs.spec.sparsity import GrowingSpec, SoftFilterSpec
from jobs.spec.training import Recipe
from workers.allocation import ALLOCATIONS, AllocationProblem, allocate
from workers.channels import MacCount, ParameterCount, find_groups
from workers.models import build
from workers.sparsity import make_regulariser
from workers.sparsity.soft_filter import SoftFilterPruning


def zeroed(layer):
    return (layer.weight.flatten(1).norm(dim=1) == 0).tolist()


def test_the_filters_with_the_lowest_norms_are_zeroed(small, map_of):
    with torch.no_grad():
        for unit, value in enumerate((3.0, -1.0, 2.0)):
            small.first.weight[unit] = value
    before = small.norm1.weight.clone(), small.second.weight.clone()
    SoftFilterPruning(small, map_of(small), {"first": 1, "second": 4}).after_epoch()
    assert zeroed(small.first) == [False, True, True]  # l2 norms 9, 3 and 6; one stays
    assert bool((small.first.weight[0] == 3).all())
    # Norms stay, so that a filter can come back; what reads the unit stays, and the second group keeps all four.
    assert torch.equal(small.norm1.weight, before[0])
    assert torch.equal(small.second.weight, before[1])


@pytest.mark.parametrize("target", ["parameters", "macs"])
def test_as_many_are_zeroed_as_half_of_the_cost_needs(target):
    """A wide first layer on the large map has most of the MACs, a wide last one most of the parameters."""
    network = build("plain", {"widths": [20, 4, 40], "in_channels": 1})
    found = find_groups(network, (1, 16, 16))
    regulariser = make_regulariser(
        SoftFilterSpec(kind="soft-filter"), network, found, (1, 16, 16), compression=0.5, target=target
    )
    regulariser.after_epoch()
    left = {name: sum(not zero for zero in zeroed(network.get_submodule(name))) for name in found.widths()}
    cost = {"parameters": ParameterCount, "macs": MacCount}[target](found)
    assert cost(left) / cost(found.widths()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "spec", [SoftFilterSpec(kind="soft-filter"), GrowingSpec(kind="growing", increase=1.0, interval=1)]
)
def test_the_units_that_stay_are_as_many_as_pruning_leaves(spec):
    network = build("plain", {"widths": [20, 40], "in_channels": 1})
    found = find_groups(network, (1, 16, 16))
    problem = AllocationProblem(channel_map=found, target=0.45, cost=ParameterCount(found))
    pruned = allocate(ALLOCATIONS["uniform"], problem, multiple=8).widths
    assert pruned != allocate(ALLOCATIONS["uniform"], problem).widths
    regulariser = make_regulariser(spec, network, found, (1, 16, 16), compression=0.45, multiple=8)
    regulariser.after_epoch()
    if spec.kind == "growing":
        left = {name: int(regulariser.tensors()[f"kept.{name}"].sum()) for name in pruned}
    else:
        left = {name: sum(not zero for zero in zeroed(network.get_submodule(name))) for name in pruned}
    assert left == pruned


def test_doing_it_again_changes_nothing(small, map_of):
    soft = SoftFilterPruning(small, map_of(small), {"first": 2, "second": 2})
    soft.after_epoch()
    before = {name: each.clone() for name, each in small.state_dict().items()}
    soft.after_epoch()
    assert all(torch.equal(each, before[name]) for name, each in small.state_dict().items())


def test_zeroed_filters_go_on_learning(small, map_of, follow):
    soft = SoftFilterPruning(small, map_of(small), {"first": 1})
    soft.after_epoch()
    assert sum(zeroed(small.first)) == 2
    with torch.no_grad():
        small.norm1.bias.fill_(0.5)  # at or below zero the ReLU behind it lets no gradient through
    follow(small, None)
    assert not any(zeroed(small.first))


def test_after_the_last_epoch_as_many_filters_are_zero_as_are_to_go(small, map_of, follow):
    follow(small, SoftFilterPruning(small, map_of(small), {"first": 2, "second": 1}), recipe=Recipe(epochs=2))
    assert (sum(zeroed(small.first)), sum(zeroed(small.second))) == (1, 3)


def test_what_is_frozen_of_a_filter_is_zeroed_after_the_training_only(map_of):
    model = build("resnet", {"widths": [4], "in_channels": 1})
    model.conv1.requires_grad_(False)
    before = model.conv1.weight.clone()
    soft = SoftFilterPruning(model, map_of(model, (1, 8, 8)), {"conv1": 3})
    soft.after_epoch()
    assert torch.equal(model.conv1.weight, before)
    gone = zeroed(model.layer1[0].conv2)
    assert sum(gone) == 1
    soft.after_training()
    assert zeroed(model.conv1) == zeroed(model.layer1[0].conv2) == gone


def test_producers_of_a_sum_count_together(map_of):
    model = build("resnet", {"widths": [4], "in_channels": 1})
    SoftFilterPruning(model, map_of(model, (1, 8, 8)), {"conv1": 3}).after_epoch()
    assert zeroed(model.conv1) == zeroed(model.layer1[0].conv2)
    assert sum(zeroed(model.conv1)) == 1
