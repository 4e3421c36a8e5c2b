"""What follows from the results of a round."""

import pytest
from chosen_networks import RMSE, made_curve
from planned import ENVIRONMENT

from jobs.load import load_sweep
from jobs.outcome import Cause, Failed
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep
from orchestrator.results.selection import candidates
from orchestrator.search import Searched
from orchestrator.search.progress import SearchProgress, Tried, judge

L1 = Searched(model="net", method="l1", protocol="none", name="l1")
L2 = Searched(model="net", method="l2", protocol="none", name="l2")


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    """Two seeds, two compressions."""
    return plan_sweep(load_sweep(write_sweep({**tiny_sweep, "seeds": [0, 1]})), ENVIRONMENT)


def failed(plan, stage: StageKind, cause=Cause.BAD_INPUT, asked: float | None = None) -> Failed:
    """The failure of one task, of those behind a compression where one is given."""
    key = next(
        task.key
        for task in plan.tasks.values()
        if task.stage is stage and (asked is None or f"l1@{round(asked * 100)}%" in task.label)
    )
    return Failed(key=key, cause=cause, message="no channels are left")


def judged(plan, *curves, failures=(), within=1.0, percent=20):
    return judge(L1, percent, candidates(curves), plan, failures, within=within)


class TestJudge:
    def test_the_mean_over_the_seeds_decides(self, plan):
        dense = [made_curve("dense", {0.0: 0.95}, seed=seed) for seed in (0, 1)]
        # One seed loses 1.5 points, the other one 0.3: 0.9 in the mean.
        pruned = [made_curve("l1", {0.2: value}, seed=seed) for seed, value in enumerate((0.935, 0.947))]
        result = judged(plan, *dense, *pruned)
        assert (result.holds, str(result)) == (True, "accuracy 94.1 ± 0.8 (-0.9): holds")
        assert not judged(plan, *dense, *pruned, within=0.8).holds

    def test_of_some_metrics_less_is_better(self, plan):
        dense, pruned = (
            made_curve(name, {at: value}, metric=RMSE)
            for name, at, value in (("dense", 0.0, 0.010), ("l1", 0.2, 0.0105))
        )
        assert judged(plan, dense, pruned).holds  # half a millimetre more
        assert not judged(plan, dense, pruned, within=0.4).holds

    @pytest.mark.parametrize("cause", [Cause.BAD_INPUT, Cause.BAD_NETWORK, Cause.BAD_NUMERICS])
    def test_a_compression_that_cannot_be_reached_does_not_hold(self, plan, cause):
        # One seed is measured, the other one's pruning failed.
        dense = [made_curve("dense", {0.0: 0.95}, seed=seed) for seed in (0, 1)]
        pruned = [made_curve("l1", {0.2: 0.95}), made_curve("l1", {}, seed=1, planned=(0.2,))]
        result = judged(plan, *dense, *pruned, failures=[failed(plan, StageKind.PRUNE, cause, 0.2)])
        assert (result.holds, str(result)) == (False, "cannot be reached: no channels are left")

    @pytest.mark.parametrize("cause", [Cause.BUG, Cause.OUT_OF_MEMORY, Cause.TRANSIENT])
    def test_other_failures_leave_it_open(self, plan, cause):
        assert judged(plan, failures=[failed(plan, StageKind.PRUNE, cause, 0.2)]) is None

    def test_the_failure_of_another_compression_is_none_of_this_one(self, plan):
        assert judged(plan, failures=[failed(plan, StageKind.PRUNE, asked=0.4)]) is None
        assert judged(plan, failures=[failed(plan, StageKind.PRUNE, asked=0.4)], percent=40) is not None

    def test_the_failure_of_an_ancestor_is_one_of_this_one(self, plan):
        assert judged(plan, failures=[failed(plan, StageKind.SCORE)]).failed

    def test_a_task_that_appeared_may_be_behind_it(self, plan):
        appeared = Failed(key="f" * 32, cause=Cause.BAD_INPUT, message="cannot be ordered")
        assert judged(plan, failures=[appeared]).why == "cannot be ordered"


def reached(percent: int, *, holds: bool) -> Tried:
    (network,) = candidates([made_curve("l1", {percent / 100: 0.9})])
    return Tried(percent=percent, holds=holds, network=network)


class TestProgress:
    def test_all_that_is_searched_advances_in_one_round(self):
        progress = SearchProgress.begin([L1, L2], largest=95)
        assert progress.next == {L1: 48, L2: 48}
        progress = progress.told({L1: reached(48, holds=True), L2: reached(48, holds=False)})
        assert progress.next == {L1: 72, L2: 24}
        assert progress.asked == {L1: [48, 72], L2: [48, 24]}

    def test_what_cannot_be_reached_is_not_asked_again(self):
        progress = SearchProgress.begin([L1], largest=95)
        progress = progress.told({L1: Tried(percent=48, holds=False, why="empty", failed="a")})
        assert progress.asked == {L1: [24]}

    def test_a_task_that_fails_at_two_compressions_ends_the_search_of_its_method(self):
        progress = SearchProgress.begin([L1], largest=95)
        for percent in (48, 24):
            assert progress.next == {L1: percent}
            progress = progress.told({L1: Tried(percent=percent, holds=False, why="untraceable", failed="a")})
        assert (progress.next, progress.found) == ({}, {})

    def test_the_largest_that_holds_is_found_and_none_where_none_does(self):
        progress = SearchProgress.begin([L1, L2], largest=3)
        while progress.next:
            progress = progress.told(
                {each: reached(at, holds=each == L1 and at < 3) for each, at in progress.next.items()}
            )
        assert {each.name: tried.percent for each, tried in progress.found.items()} == {"l1": 2}
