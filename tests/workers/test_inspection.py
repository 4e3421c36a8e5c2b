import pytest

from jobs.errors import BadInputError
from jobs.stages.common import WidthLimits
from workers.channels import ParameterCount
from workers.inputs import InputSpec
from workers.inspection import inspect, layer_faults, with_limits
from workers.network import NetworkRecipe

RECIPE = NetworkRecipe(
    network="plain", arguments={"widths": [4, 6], "in_channels": 1}, inputs=InputSpec.of_shape((1, 8, 8))
)


@pytest.fixture(scope="module")
def found():
    return inspect(RECIPE)


def test_a_share_is_what_would_go_with_the_whole_group(found):
    inspection, channel_map = found
    count, (first, *_) = ParameterCount(channel_map), inspection.groups
    assert inspection.parameters == sum(each.numel() for each in RECIPE.construct().parameters())
    gone = count({}) - count({first.group.name: 0})
    assert first.parameters == pytest.approx(gone / inspection.parameters)
    assert 0 < first.macs < 1
    assert inspection.prunable < sum(each.parameters for each in inspection.groups)  # what is between two counts twice


def test_without_limits_nothing_is_said(found):
    assert with_limits(*found, None) == found[0]
    assert all(each.range is None for each in found[0].groups)


def test_limits_are_those_that_tasks_keep_to(found):
    name = found[0].groups[0].group.name
    limited = with_limits(*found, WidthLimits(keep=(name,)), multiple=4)
    assert [(each.range.why, each.range.multiple) for each in limited.groups] == [(f"keep: {name}", 1), ("", 4)]


def test_a_network_that_cannot_be_traced_is_refused_with_a_remedy(monkeypatch):
    def refuse(*arguments, **named):
        raise ValueError("the trace ends at its first line")

    monkeypatch.setattr("workers.structure.find_groups", refuse)
    with pytest.raises(BadInputError, match=r"network 'plain': the trace ends .* such as `prunable: \[backbone\]`"):
        inspect(RECIPE)


def test_patterns_are_checked_without_a_trace(monkeypatch, found):
    name = found[0].groups[0].group.name
    monkeypatch.delattr("workers.structure.find_groups")
    assert layer_faults(RECIPE, {"prune.keep": (name,), "prune.only": (f"{name}#2",)}, {}) == []
    (fault,) = layer_faults(RECIPE, {"prune.keep": ("no.such.layer",)}, {})
    assert fault.startswith("prune.keep: 'no.such.layer' matches no layer; nearest: ")
