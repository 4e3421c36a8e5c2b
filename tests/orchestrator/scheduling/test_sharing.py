import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.scheduling.sharing import Claim, shares


def claim(sweep, demand, priority=0):
    return Claim(sweep=sweep, priority=priority, demand=demand)


def test_one_sweep_alone_gets_what_it_wants():
    assert shares(8, [claim("a", 5)]) == {"a": 5}
    assert shares(8, [claim("a", 50)]) == {"a": 8}


def test_equals_share_evenly():
    assert shares(8, [claim("a", 50), claim("b", 50)]) == {"a": 4, "b": 4}


def test_what_one_does_not_want_goes_to_the_others():
    assert shares(9, [claim("a", 1), claim("b", 50), claim("c", 50)]) == {"a": 1, "b": 4, "c": 4}


def test_a_higher_priority_goes_first():
    assert shares(8, [claim("a", 50), claim("b", 6, priority=1)]) == {"a": 2, "b": 6}


CLAIMS = st.lists(st.tuples(st.integers(-2, 2), st.floats(0, 100)), max_size=6).map(
    lambda each: [claim(str(index), demand, priority) for index, (priority, demand) in enumerate(each)]
)


@given(slots=st.floats(0, 200), claims=CLAIMS)
def test_nothing_is_wasted_and_nobody_gets_more_than_it_wants(slots, claims):
    parts = shares(slots, claims)
    assert sum(parts.values()) == pytest.approx(min(slots, sum(each.demand for each in claims)))
    assert all(0 <= parts[each.sweep] <= each.demand for each in claims)


@given(slots=st.floats(0, 200), claims=CLAIMS)
def test_a_lower_priority_gets_something_only_where_a_higher_one_is_content(slots, claims):
    parts = shares(slots, claims)
    for high in claims:
        if parts[high.sweep] < high.demand - 1e-9:
            assert all(parts[low.sweep] < 1e-9 for low in claims if low.priority < high.priority)
