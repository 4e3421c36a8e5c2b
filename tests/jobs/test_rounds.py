from itertools import pairwise

import pytest

from jobs.rounds import gone_after


@pytest.mark.parametrize("schedule", ["geometric", "linear"])
def test_the_last_round_ends_at_the_total(schedule):
    assert gone_after(5, 5, total=0.6, schedule=schedule) == pytest.approx(0.6)


def test_geometric_rounds_remove_the_same_fraction_of_what_is_left():
    gone = [0.0, *(gone_after(number, 4, total=0.6, schedule="geometric") for number in range(1, 5))]
    shares = {round((after - before) / (1 - before), 9) for before, after in pairwise(gone)}
    assert len(shares) == 1


def test_linear_rounds_remove_the_same_fraction_of_the_whole():
    assert [gone_after(number, 3, total=0.6, schedule="linear") for number in (1, 2)] == pytest.approx([0.2, 0.4])
