"""Channels of all groups are removed in one order, such as that of their scores, until the target is reached."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from workers.allocation._base import AllocationProblem, Widths, allocator
from workers.criteria import Scores


@allocator(needs=["scores"])
def global_threshold(
    problem: AllocationProblem, *, floor: float = 0.1, normalize: Literal["none", "group"] = "none"
) -> dict[str, int]:
    """Take the channels with the lowest scores of all, wherever they are: one threshold for all groups.

    Network slimming (Liu et al. 2017, arXiv:1708.06519, section 3), with a floor: without one a layer can lose all its
    channels. Needs scores that can be compared between groups.

    Args:
        problem: The target and the scores.
        floor: Fraction of each group's width that stays, and at least one channel.
        normalize: `group` divides the scores of a group by their mean.
    """
    scores = comparable(problem.scores(), normalize)
    return lowest_first(problem, removable(scores, problem.smallest(floor), problem.largest()))


def comparable(scores: Scores, normalize: Literal["none", "group"]) -> Scores:
    """Scores to compare between groups: unchanged, or divided by the mean of their group."""
    if normalize == "none":
        return scores
    return {name: values / values.mean().abs().clamp_min(1e-30) for name, values in scores.items()}


def removable(scores: Scores, smallest: Widths, largest: Widths) -> dict[str, Float[Tensor, " _"]]:
    """Group name -> the scores of the channels that may be removed or stay, the lowest first."""
    return {
        name: values.double().sort(stable=True).values[len(values) - largest[name] : len(values) - smallest[name]]
        for name, values in scores.items()
    }


def lowest_first(problem: AllocationProblem, keys: Mapping[str, Float[Tensor, " _"]]) -> dict[str, int]:
    """Take channels in ascending order of their keys, as many as bring the cost nearest to the target.

    Args:
        problem: The target and the groups.
        keys: Group name -> keys of the channels that may go, ascending. Equal ones go in the order of the groups.
    """
    full = problem.largest()
    order = sorted((key, place, name) for place, name in enumerate(full) for key in keys[name].tolist())
    wanted = (1 - problem.target) * problem.cost({})

    def widths_after(taken: int) -> dict[str, int]:
        gone = Counter(name for _, _, name in order[:taken])
        return {name: width - gone[name] for name, width in full.items()}

    few, many = 0, len(order)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if problem.cost(widths_after(middle)) >= wanted else (few, middle)
    return min((widths_after(few), widths_after(many)), key=lambda widths: abs(problem.cost(widths) - wanted))
