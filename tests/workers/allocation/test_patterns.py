from dataclasses import replace

import pytest

from jobs.errors import BadInputError
from jobs.stages.common import WidthLimits
from workers.allocation.patterns import check_patterns, covers, matches, nearest_names, touches
from workers.channels import ChannelGroup, RefusedGroup

STREAM = ChannelGroup(name="conv1", width=8, layers=("conv1", "layer1.0.conv2"))


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("layer1.0.conv1", "layer1.0.conv1", True),
        ("layer1", "layer1.0.conv1", True),  # a module means all layers in it
        ("layer1", "layer10.0.conv1", False),
        ("*.conv1", "layer1.0.conv1", True),
        ("layer[12].*", "layer2.0.conv1", True),
        ("Layer1", "layer1.0", False),
        ("conv1", "layer1.0.conv1", False),
    ],
)
def test_a_pattern_is_one_of_a_name_or_of_a_module_that_holds_it(pattern, name, found):
    assert matches(pattern, name) is found


def test_one_layer_of_a_group_is_enough_to_touch_it():
    assert touches("layer1", STREAM)
    assert not touches("layer2", STREAM)


def test_all_layers_or_the_full_name_cover_a_group():
    assert covers(["conv1"], STREAM)
    assert covers(["conv*", "layer1.*"], STREAM)
    assert not covers(["layer1"], STREAM)


def test_a_pattern_without_a_match_names_the_nearest(chain):
    with pytest.raises(BadInputError, match=r"prune.ratios: '7' matches nothing that can be pruned; nearest: 0, 1"):
        check_patterns(chain, WidthLimits(ratios=(("0", 0.5), ("7", 0.5))))


def test_all_that_match_nothing_are_named_at_once(chain):
    with pytest.raises(BadInputError, match=r"prune.keep: '8' .*; prune.only: '9' "):
        check_patterns(chain, WidthLimits(keep=("8",), only=("0", "9")))


def test_a_layer_that_stays_anyway_can_be_kept_and_not_cut(chain):
    check_patterns(chain, WidthLimits(keep=("3",)))  # the classifier
    with pytest.raises(BadInputError, match=r"prune.floor: '3' matches nothing that can be pruned"):
        check_patterns(chain, WidthLimits(floor=(("3", 2),)))


def test_what_was_refused_is_said(chain):
    refusal = RefusedGroup(layers=("5",), operator="aten.sort", where="", reason="it compares channels")
    channel_map = replace(chain, refused=(refusal,))
    with pytest.raises(BadInputError, match=r"matches only layers that stay whole \(aten.sort: it compares channels\)"):
        check_patterns(channel_map, WidthLimits(multiple=(("5", 8),)))


def test_modules_are_among_the_nearest_names():
    assert nearest_names("lyer1.*", ["layer1.0.conv1", "head"]).startswith("nearest: layer1")
    assert nearest_names("a", []) == "the network has no such layers"
