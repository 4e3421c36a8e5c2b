"""Where labels at line ends go."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.report.labels import LONGEST, shortened, spread


def test_what_is_far_apart_stays_and_what_is_near_moves_as_little_as_can_be():
    assert spread([0.9, 0.1, 0.12], apart=0.1, low=0.0, high=1.0) == pytest.approx([0.9, 0.06, 0.16])


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), max_size=16))
def test_labels_are_apart_within_the_bounds_and_in_the_order_of_the_lines(wanted):
    found = spread(wanted, apart=0.05, low=0.0, high=1.0)
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in found)
    places = sorted(zip(wanted, found, strict=True))
    assert all(after[1] - before[1] >= 0.05 - 1e-9 for before, after in pairwise(places))


def test_more_than_have_room_are_closer_together():
    assert spread([0.5] * 5, apart=0.5, low=0.0, high=1.0) == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_long_names_lose_their_middle():
    assert shortened("l1 · fine-tune") == "l1 · fine-tune"
    assert len(shortened("a" * 30 + "b" * 30)) <= LONGEST
    assert shortened("a" * 30 + "b" * 30) == "a" * 16 + "…" + "b" * 16
