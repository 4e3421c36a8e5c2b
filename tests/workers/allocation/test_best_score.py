import itertools
from collections import Counter

import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.allocation import ALLOCATIONS, allocate, width_model
from workers.allocation.best_score import best_widths, candidate_widths, limits_of, uniform_start
from workers.channels import Cost, CostTerm, Length, MacCount, find_groups

SCORES = {"0": [9.0, 1.0, 5.0, 3.0], "1": [4.0, 4.0, 2.0, 6.0]}


def best(question, **settings):
    return allocate(ALLOCATIONS["best-score"], question, {"multiple": 1, "floor": 0.0, **settings})


def worth(widths):
    return sum(sum(sorted(SCORES[name], reverse=True)[:width]) for name, width in widths.items())


def by_trial(question, *limits):
    """The most score that any widths keep within the target and further limits."""
    every = ({"0": a, "1": b} for a, b in itertools.product(range(1, 5), repeat=2))
    allowed = [each for each in every if question.cost(each) <= (1 - question.target) * 28]
    return max(worth(each) for each in allowed if all(cost(each) <= budget for cost, budget in limits))


@pytest.mark.parametrize("target", [0.0, 0.2, 0.4, 0.6, 0.8])
def test_it_keeps_as_much_as_trying_all_widths(chain, ask, target):
    question = ask(chain, target, scores=SCORES)
    found = best(question)
    assert worth(found.widths) == by_trial(question)
    assert found.reached >= target - 1e-12


@pytest.mark.parametrize("shift", [2.0, 20.0])
def test_scores_may_be_negative(chain, ask, shift):
    scores = {name: [each - shift for each in values] for name, values in SCORES.items()}
    question = ask(chain, 0.2, scores=scores)
    every = [{"0": a, "1": b} for a, b in itertools.product(range(1, 5), repeat=2)]

    def kept(widths):
        return sum(sum(sorted(scores[name], reverse=True)[:width]) for name, width in widths.items())

    assert kept(best(question).widths) == max(kept(each) for each in every if question.cost(each) <= 0.8 * 28)


def test_where_nothing_is_scored_no_more_is_removed_than_was_asked(ask):
    layers = [nn.Conv2d(1, 40, 1), nn.Conv2d(40, 30, 1), nn.Conv2d(30, 20, 1), nn.Conv2d(20, 1, 1)]
    channel_map = find_groups(nn.Sequential(*layers), (1, 2, 2))
    scores = {name: [0.0] * width for name, width in channel_map.widths().items()}
    found = best(ask(channel_map, 0.3, scores=scores))
    assert found.reached == pytest.approx(0.3, abs=0.01)
    fractions = [width / channel_map.widths()[name] for name, width in found.widths.items()]
    assert max(fractions) - min(fractions) < 0.1


def test_channels_without_a_score_stay_where_the_limits_allow_it(chain, ask):
    found = best(ask(chain, 0.1, scores={"0": [1.0, 0.0, 0.0, 0.0], "1": [1.0, 0.0, 0.0, 0.0]}))
    assert sorted(found.widths.values()) == [3, 4]  # 21 or 23 of 28 parameters


def test_a_model_that_the_solver_refuses_is_a_bug(chain, ask, monkeypatch):
    monkeypatch.setattr(width_model, "_SCORE_UNITS", 10**38)
    with pytest.raises(ValueError, match="the solver refuses"):
        best(ask(chain, 0.1, scores=SCORES))


def test_all_limits_hold_at_once(chain, ask):
    latency = Cost(chain.widths(), 1.0, [CostTerm(weight=0.5, lengths=(Length(occurrences={"0": 1}),))])  # 1 + a / 2
    steps = [Cost(chain.widths(), 0.0, [CostTerm(weight=8.0, lengths=(Length(occurrences={"1": 1}),))])]  # 8 b
    stored = Cost(chain.widths(), 16.0, [])
    question = ask(chain, 0.1, scores=SCORES, latency=lambda: latency, memory=lambda batch_size: (stored, steps))
    found = best(question, latency=0.7, memory=0.85)  # 1 + a / 2 <= 2.1, 16 + 8 b <= 40.8: two and three channels
    assert dict(found.widths) == {"0": 2, "1": 3}
    macs = MacCount(chain)
    narrow = best(question, macs=0.5)
    assert worth(narrow.widths) == by_trial(question, (macs, 0.5 * macs({})))
    assert narrow.note.startswith("asked 10%, reached")  # another limit demands more


def test_the_solver_proves_how_near_it_is(chain, ask):
    question = ask(chain, 0.4, scores=SCORES)
    limits = limits_of(question, macs=None, latency=None, memory=None, batch_size=1)
    solution = best_widths(question, limits, multiple=1, floor=0.0, normalize="none")
    assert solution.score == by_trial(question)
    assert 0 <= solution.gap < 1e-3


def test_widths_are_multiples_or_full(ask):
    channel_map = find_groups(nn.Sequential(nn.Conv2d(1, 20, 1), nn.Conv2d(20, 6, 1), nn.Conv2d(6, 1, 1)), (1, 2, 2))
    candidates = candidate_widths(ask(channel_map, 0.0), floor=0.3, multiple=8)
    assert candidates == {"0": [8, 16, 20], "1": [6]}  # 0.3 of 20 is 6, and the next multiple 8


def test_many_candidates_are_thinned_out(ask):
    channel_map = find_groups(nn.Sequential(nn.Conv2d(1, 2000, 1), nn.Conv2d(2000, 1, 1)), (1, 1, 1))
    (widths,) = candidate_widths(ask(channel_map, 0.0), floor=0.1, multiple=1).values()
    assert (len(widths), widths[0], widths[-1]) == (48, 200, 2000)


def test_a_limit_that_no_widths_meet_says_what_would_do(chain, ask):
    # One channel each: 1 + 1 + 2 of 28 multiply-accumulates stay.
    with pytest.raises(BadInputError, match=r"limit on multiply-accumulates: 10.0% are allowed, and 14.3% stay"):
        best(ask(chain, 0.5, scores=SCORES), macs=0.1)


def test_it_starts_from_the_largest_common_fraction(chain, ask):
    limits = limits_of(ask(chain, 0.5), macs=None, latency=None, memory=None, batch_size=1)
    candidates = candidate_widths(ask(chain, 0.0), floor=0.0, multiple=1)
    assert uniform_start(candidates, limits) == {"0": 2, "1": 2}  # 10 of 28; with three channels 18 are too many


def test_lengths_of_several_groups_and_of_one_twice_are_multiplied_rightly(ask):
    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(1, 3, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(6, 4, 1)
            self.d = nn.Linear(10, 2)

        def forward(self, x):
            a = self.a(x)
            b = self.b(a)
            c = self.c(torch.cat([a, b], 1))
            return self.d(torch.cat([a, b, c], 1).mean((2, 3)))

    channel_map = find_groups(Joined().eval(), (1, 2, 2))
    scores = {group.name: torch.arange(1.0, group.width + 1).tolist() for group in channel_map.groups}
    for target in (0.2, 0.5):
        question = ask(channel_map, target, scores=scores)
        every = (
            dict(zip(channel_map.widths(), each, strict=True))
            for each in itertools.product(*(range(1, width + 1) for width in channel_map.widths().values()))
        )

        def kept(widths):
            return sum(sum(sorted(scores[name])[-width:]) for name, width in widths.items())

        allowed = [each for each in every if question.cost(each) <= (1 - target) * question.cost({})]
        assert kept(best(question).widths) == max(kept(each) for each in allowed)
    roles = Counter(len(length.occurrences) for term in question.cost.terms for length in term.lengths)
    assert max(roles) > 1
