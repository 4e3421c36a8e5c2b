from typing import get_args

from jobs.spec.effort import EFFORTS, Effort


def test_every_effort_has_limits():
    assert set(EFFORTS) == set(get_args(Effort))


def test_kicks_are_bounded():
    limits = EFFORTS["standard"]
    assert (limits.kicks(10), limits.kicks(1000)) == (60, 4000)  # 6 a channel, and 4,000 at most


def test_the_routing_solver_gets_a_share_of_its_work_or_is_not_asked():
    limits = EFFORTS["standard"]
    # 2,000 / n solutions: at most 12, and of fewer than 4 nothing comes.
    assert [limits.solutions(n) for n in (10, 200, 500, 501)] == [12, 10, 4, 0]


def test_more_effort_looks_at_more_paths():
    fast, standard, thorough = (EFFORTS[effort] for effort in ("fast", "standard", "thorough"))
    assert fast.num_starts < standard.num_starts < thorough.num_starts
    assert fast.ascent_iterations < standard.ascent_iterations < thorough.ascent_iterations
