import math

import pytest

from orchestrator.search import Bisection


def search(largest: int, holds) -> tuple[int, list[int]]:
    """The compression found, and those that were tried."""
    bisection, tried = Bisection.up_to(largest), []
    while (percent := bisection.next) is not None:
        tried.append(percent)
        bisection = bisection.told(holds=holds(percent))
    return bisection.holds, tried


@pytest.mark.parametrize("largest", [1, 2, 7, 95])
def test_it_finds_every_boundary_in_as_few_rounds_as_halving_can(largest):
    # 0 to `largest` percent may be the answer: so many outcomes are halved.
    for boundary in range(largest + 1):
        found, tried = search(largest, lambda percent, boundary=boundary: percent <= boundary)
        assert found == boundary
        assert len(tried) <= math.ceil(math.log2(largest + 1))


def test_nothing_is_tried_twice_nor_outside_the_range():
    for boundary in range(96):
        _, tried = search(95, lambda percent, boundary=boundary: percent <= boundary)
        assert len(set(tried)) == len(tried)
        assert set(tried) <= set(range(1, 96))


def test_where_quality_does_not_fall_steadily_it_ends_at_a_boundary():
    # Every third compression fails.
    found, _ = search(95, lambda percent: percent % 3 != 0)
    assert found % 3 == 2  # holds, and the next one does not


def test_it_says_how_many_rounds_are_left():
    bisection = Bisection.up_to(95)
    assert bisection.num_rounds == 7  # 96 outcomes
    assert bisection.told(holds=False).num_rounds == 6


def test_at_the_end_nothing_can_be_told():
    with pytest.raises(ValueError, match="has ended at 0 %"):
        Bisection.up_to(1).told(holds=False).told(holds=True)
