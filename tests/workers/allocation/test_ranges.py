from dataclasses import replace

import pytest
import torch

from jobs.errors import BadInputError
from jobs.stages.common import WidthLimits
from workers.allocation import ALLOCATIONS, Bounds, Design, allocate, allocator, ranges_of
from workers.allocation.ranges import WidthRange

SETTINGS = {
    "best-score": {"multiple": 1, "floor": 0.0},
    "global": {"floor": 0.0},
    "isomorphic": {"floor": 0.0},
    "template": {"fractions": [1.0, 0.5]},
}
CHOOSING = sorted(set(ALLOCATIONS) - {"predefined"})


@pytest.fixture
def problem(staged, ask):
    """One with everything that an allocation may look at; groups of 10, 10, 20 and 40 channels."""

    def problem(target, widths=None):
        widths = widths or staged.widths()
        errors = {name: torch.linspace(0, 1, width, dtype=torch.float64) for name, width in widths.items()}
        return replace(
            ask(staged, target, scores={name: torch.arange(1.0, width + 1).tolist() for name, width in widths.items()}),
            errors=lambda: errors,
            losses=lambda: errors,
            spectra=lambda: {name: torch.ones(width, dtype=torch.float64) for name, width in widths.items()},
            designs=lambda: [Design(channel_map=staged, widths=staged.widths())],
        )

    return problem


def widths(problem, kind, limits, **bounds):
    """The widths of the four groups, from first to last."""
    asked = allocate(ALLOCATIONS[kind], problem, SETTINGS.get(kind), bounds=Bounds(limits=limits, **bounds))
    assert asked.reached == pytest.approx(problem.target, abs=0.03)  # one channel of the last group is 2 %
    return list(asked.widths.values())


@pytest.mark.parametrize("kind", CHOOSING)
class TestEveryAllocation:
    def test_keeps_whole_what_is_to_be_kept(self, problem, kind):
        assert widths(problem(0.4), kind, WidthLimits(keep=("0", "2")))[::2] == [10, 20]

    def test_cuts_nothing_but_what_it_may(self, problem, kind):
        first, second, third, fourth = widths(problem(0.4), kind, WidthLimits(only=("3",)))
        assert (first, second, third) == (10, 10, 20)
        assert fourth < 40

    def test_gives_a_layer_the_ratio_asked_for(self, problem, kind):
        assert widths(problem(0.4), kind, WidthLimits(ratios=(("2", 0.3),)))[2] == 14

    def test_leaves_a_floor(self, problem, kind):
        found = widths(problem(0.5), kind, WidthLimits(floor=(("*", 2), ("3", 0.5))))
        assert min(found) >= 2
        assert found[3] >= 20

    def test_chooses_multiples_where_they_are_asked_for(self, problem, kind):
        found = allocate(
            ALLOCATIONS[kind],
            problem(0.4),
            SETTINGS.get(kind),
            bounds=Bounds(limits=WidthLimits(multiple=(("2", 4), ("3", 8)))),
        )
        assert [found.widths[name] % multiple for name, multiple in (("2", 4), ("3", 8))] == [0, 0]
        assert found.reached == pytest.approx(0.4, abs=0.1)

    def test_takes_no_channel_back_in_a_later_round(self, problem, kind):
        present = {"0": 10, "1": 8, "2": 15, "3": 30}
        found = widths(problem(0.6, present), kind, WidthLimits(), present=present)
        assert all(now <= before for now, before in zip(found, present.values(), strict=True))


def test_one_of_ones_own_need_not_look_at_the_limits(problem):
    @allocator()
    def mine(problem):
        return {name: round(0.6 * width) for name, width in problem.channel_map.widths().items()}

    limits = WidthLimits(keep=("0",), ratios=(("1", 0.5),), multiple=(("3", 8),))
    found = allocate(mine, problem(0.5), bounds=Bounds(limits=limits))
    assert (found.widths["0"], found.widths["1"], found.widths["3"] % 8) == (10, 5, 0)
    assert found.reached == pytest.approx(0.5, abs=0.03)


def test_the_free_groups_make_up_for_the_fixed_ones(problem):
    free = widths(problem(0.4), "uniform", WidthLimits())
    kept = widths(problem(0.4), "uniform", WidthLimits(keep=("2",)))
    assert all(
        now < before for now, before in zip((kept[0], kept[1], kept[3]), (free[0], free[1], free[3]), strict=True)
    )


def test_ratios_that_remove_more_than_asked_are_told(problem):
    found = allocate(ALLOCATIONS["uniform"], problem(0.1), bounds=Bounds(limits=WidthLimits(ratios=(("*", 0.5),))))
    assert found.widths == {"0": 5, "1": 5, "2": 10, "3": 20}
    assert found.note.endswith(": the widths that `prune.ratios` fixes remove more")


def test_what_is_out_of_reach_names_what_is_kept(problem):
    with pytest.raises(
        BadInputError, match=r"that `prune` and the allocation allow then; kept whole: 2 \(keep: 2\); 3"
    ):
        allocate(ALLOCATIONS["uniform"], problem(0.8), bounds=Bounds(limits=WidthLimits(keep=("2", "3"))))


def test_predefined_widths_may_not_contradict_what_is_kept(problem):
    limits = Bounds(limits=WidthLimits(keep=("0",)))
    assert allocate(ALLOCATIONS["predefined"], problem(0.1), {"widths": {"1": 5}}, bounds=limits).widths["1"] == 5
    with pytest.raises(BadInputError, match=r"leave 5 of 10 channels of '0', and `prune` \(keep: 0\) 10"):
        allocate(ALLOCATIONS["predefined"], problem(0.1), {"widths": {"0": 5}}, bounds=limits)


def test_a_floor_of_the_sweep_takes_the_place_of_the_allocations(staged):
    found = ranges_of(staged, WidthLimits(floor=(("3", 0.1),)), floor=0.5)
    assert {name: each.smallest for name, each in found.items()} == {"0": 5, "1": 5, "2": 10, "3": 4}


def test_the_last_pattern_that_matches_counts(staged):
    found = ranges_of(staged, WidthLimits(multiple=(("*", 8), ("3", 5)), floor=(("3", 3), ("*", 1))))
    assert {name: each.multiple for name, each in found.items()} == {"0": 8, "1": 8, "2": 8, "3": 5}
    assert found["3"].smallest == 5  # one channel, as a multiple of five


def test_a_ratio_keeps_to_multiples_and_goes_in_parts(staged):
    limits = WidthLimits(ratios=(("3", 0.5),), multiple=(("3", 8),))
    assert ranges_of(staged, limits)["3"].largest == 16  # 20, as near as may be; of two, the narrower
    assert ranges_of(staged, limits, gone=lambda total: total / 2)["3"].largest == 32  # 30


def test_allowed_widths_are_multiples_or_full():
    assert WidthRange(full=20, smallest=3, largest=20, multiple=8).allowed == [8, 16, 20]
    assert WidthRange(full=20, smallest=3, largest=12, multiple=8).allowed == [8]
    assert WidthRange(full=20, smallest=5, largest=5, multiple=8).allowed == [5]
