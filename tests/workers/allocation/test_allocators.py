import sys
import types

import pytest

from jobs import names
from jobs.errors import BadInputError
from workers.allocation import ALLOCATIONS, allocate, allocator, find_allocator


@pytest.fixture
def my_lab(monkeypatch):
    def add(**functions):
        module = types.ModuleType("my_lab")
        vars(module).update(functions)
        monkeypatch.setitem(sys.modules, "my_lab", module)

    return add


def test_the_names_of_allocations_are_those_that_there_are_and_say_what_they_need():
    assert dict(names.ALLOCATIONS) == {name: each.needs for name, each in ALLOCATIONS.items()}


def test_one_of_ones_own_is_found_and_gets_its_arguments(my_lab, chain, ask):
    @allocator()
    def all_but(question, *, gone):
        return {name: width - gone for name, width in question.channel_map.widths().items()}

    my_lab(all_but=all_but)
    found = allocate(find_allocator("my_lab:all_but"), ask(chain, 0.36), {"gone": 1})
    assert dict(found.widths) == {"0": 3, "1": 3}  # 3 + 9 + 6 = 18 of 28


def test_what_is_no_allocation_is_refused(my_lab):
    my_lab(plain=lambda question: {})
    with pytest.raises(BadInputError, match=r"is no allocator; put @workers.allocation.allocator\(\) above"):
        find_allocator("my_lab:plain")
    with pytest.raises(BadInputError, match="unknown; did you mean 'uniform'"):
        find_allocator("unifrom")


@pytest.mark.parametrize("widths", [{"0": 4}, {"0": 4, "1": 0}, {"0": 4, "1": 5}, {"0": 4, "1": 4, "2": 1}])
def test_widths_that_are_none_are_refused(chain, ask, widths):
    with pytest.raises(BadInputError, match="allowed is one from 1 to the full width"):
        allocate(allocator()(lambda question: widths), ask(chain, 0.1))


def test_what_was_not_declared_cannot_be_looked_at(chain, ask):
    with pytest.raises(BadInputError, match="uses losses, which it does not declare"):
        allocate(allocator()(lambda question: question.losses()), ask(chain, 0.1))


def test_the_floor_says_what_is_possible(chain, ask):
    # Half of each stays: 2 + 4 + 4 = 10 of 28 parameters, so that 64.3 % can go.
    question = ask(chain, 0.7, scores={"0": [1.0] * 4, "1": [1.0] * 4})
    with pytest.raises(
        BadInputError, match=r"64.3% can: .* smallest width that `prune\.floor` or the allocation allows .* 64 % or"
    ):
        allocate(ALLOCATIONS["global"], question, {"floor": 0.5})
