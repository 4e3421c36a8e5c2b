import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.channels import AxisLayout, ChannelMap, restrict
from workers.channels.layout import RefusedGroup, without_groups
from workers.channels.layout_json import _array, _runs

SHAPE = (3, 8, 8)


def layout(units, groups=None):
    units = np.array(units)
    return AxisLayout(role="output", groups=np.zeros_like(units) if groups is None else np.array(groups), units=units)


class TestJson:
    def test_round_trip(self, network, known_map):
        channel_map = known_map(network)
        assert ChannelMap.from_json(json.loads(json.dumps(channel_map.to_json()))) == channel_map

    @given(st.lists(st.integers(-1, 3), max_size=30))
    def test_any_array_survives_run_length_coding(self, values):
        assert _array(_runs(np.array(values, dtype=np.int64))).tolist() == values

    def test_plain_and_flattened_axes_are_short(self):
        assert _runs(np.arange(512)) == [[0, 1, 512]]
        assert _runs(np.repeat(np.arange(3), 49)) == [[0, 0, 49], [1, 0, 49], [2, 0, 49]]

    def test_another_version_is_an_error(self):
        with pytest.raises(ValueError, match="version 99; this code reads version 2"):
            ChannelMap.from_json({"version": 99})


class TestPositions:
    def test_occurrences_in_order_of_position(self):
        assert layout([1, 0, 0, 1]).positions(0).tolist() == [[1, 2], [0, 3]]

    def test_units_that_occur_unequally_often_are_an_error(self):
        with pytest.raises(ValueError, match="occur 1 to 2 times"):
            layout([0, 1, 0]).positions(0)

    def test_a_group_that_is_elsewhere_is_an_error(self):
        with pytest.raises(ValueError, match=r"group 3 owns nothing on this axis; it holds groups \[0\]"):
            layout([0, 1]).positions(3)


class TestRestrict:
    def test_keeps_units_below_the_width_in_place(self, channels_last, known_map):
        smaller = restrict(known_map(channels_last), {"mix": 2})
        assert smaller.tensors["fc.weight"][1].units.tolist() == [0, 1] * 4
        assert smaller.shapes["fc.weight"] == (4, 8)
        assert smaller.widths() == {"conv": 6, "mix": 2}

    @pytest.mark.parametrize("width", [0, 7])
    def test_widths_out_of_range_are_errors(self, plain, width, known_map):
        with pytest.raises(ValueError, match=rf"group 'conv1': width {width} is outside 1\.\.6"):
            restrict(known_map(plain), {"conv1": width})


def test_a_group_that_is_refused_leaves_the_axes(plain, known_map):
    refusal = RefusedGroup(layers=("conv1",), operator="test", where="", reason="")
    found = without_groups(known_map(plain), {"conv1": refusal})
    assert found.widths() == {"conv2": 5, "fc1": 7}
    assert "bn1.weight" not in found.tensors
    assert not found.tensors["conv2.weight"][1].labelled
    assert found.tensors["conv2.weight"][0].present() == [0]
    assert found.refused == (refusal,)


def test_arrays_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        layout([0, 1]).units[0] = 1
