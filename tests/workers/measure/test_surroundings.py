import pytest
from partial_networks import tiny_detector

from workers.channels import find_groups
from workers.measure import peak_memory_bytes
from workers.measure.surroundings import live_around_parts

SHAPE = (1, 16, 16)


@pytest.fixture(scope="module")
def detector():
    return tiny_detector()


@pytest.mark.parametrize("parts", [("backbone",), ("backbone", "head")])
def test_whole_widths_need_what_a_pass_is_measured_to_need(detector, parts):
    costs = live_around_parts(detector, SHAPE, find_groups(detector, SHAPE, parts=parts), parts, weight=4.0)
    stored = sum(each.nbytes for each in (*detector.parameters(), *detector.buffers()))
    assert max(cost({}) for cost in costs) == peak_memory_bytes(detector, SHAPE) - stored


def test_what_is_outside_does_not_shrink(detector):
    costs = live_around_parts(detector, SHAPE, find_groups(detector, SHAPE, parts=["head"]), ["head"], weight=4.0)
    peak = max(cost({}) for cost in costs)
    assert max(cost({"head.first": 1}) for cost in costs) == peak  # that of the backbone
    assert (
        min(cost({}) - cost({"head.first": 1}) for cost in costs)
        == 0
        < max(cost({}) - cost({"head.first": 1}) for cost in costs)
    )
