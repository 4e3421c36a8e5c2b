import math
from dataclasses import replace

import pytest
from ranked import point

from orchestrator.leaderboard.levels import LEVELS, Level, at_level

MACS = Level(cost="MACs", ratio="speedup", factor=4.0)


def test_networks_are_compared_at_two_four_and_eight_times_fewer_macs_and_parameters():
    titles = [level.title for level in LEVELS]
    assert titles[:3] == ["2x fewer MACs", "4x fewer MACs", "8x fewer MACs"]
    assert titles[3:] == ["2x fewer parameters", "4x fewer parameters", "8x fewer parameters"]


def test_between_two_points_the_curve_is_linear_in_the_logarithm_of_the_size():
    found = at_level([point(8.0, 0.5), point(2.0, 0.9), point(32.0, 0.1)], MACS)
    assert found.value == pytest.approx(0.7)  # 4 is halfway from 2 to 8
    assert (found.low.value, found.high.value) == (0.9, 0.5)
    assert found.mean(10, 30) == pytest.approx(20)


def test_a_point_at_the_level_is_what_counts_there():
    found = at_level([point(2.0, 0.9), point(4.0, 0.6), point(8.0, 0.5)], MACS)
    assert found.value == 0.6
    assert found.low is found.high


@pytest.mark.parametrize("ratios", [(), (4.1,), (4.1, 9.0), (2.0, 3.9), (2.0, math.inf), (2.0, math.nan)])
def test_beyond_the_measured_points_there_is_nothing(ratios):
    assert at_level([point(ratio, 0.5) if math.isfinite(ratio) else endless(ratio) for ratio in ratios], MACS) is None


def endless(ratio: float):
    """A network without MACs, or of which they are not known."""
    found = point(2.0, 0.5)
    found.metrics["speedup"] = ratio
    return found


@pytest.mark.parametrize(
    "larger", [point(1.0, 0.9), replace(point(1.01, 0.9), asked=0.0), replace(point(1.0, 0.9), asked=0.1)]
)
def test_there_is_no_line_from_a_network_as_large_as_the_dense_one(larger):
    assert at_level([larger, point(8.0, 0.5)], MACS) is None


def test_each_cost_has_its_own_ratio():
    parameters = Level(cost="parameters", ratio="compression_ratio", factor=2.0)
    assert at_level([point(4.0, 0.8)], parameters).value == 0.8
