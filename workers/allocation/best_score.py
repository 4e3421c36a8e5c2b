"""The widths that keep the highest total score under limits on parameters, MACs, latency and memory at once.

Needs scores that can be added up over groups, and for a limit on latency a profile of the network. The solver is in
`width_model`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from jaxtyping import Float
from torch import Tensor

from jobs.errors import BadInputError
from workers.allocation._base import AllocationProblem, Widths, allocator, smallest_widths
from workers.allocation.limits import Limit
from workers.allocation.multiples import multiples_of
from workers.allocation.ranking import comparable
from workers.channels import Cost, MacCount

if TYPE_CHECKING:
    from workers.allocation.width_model import Solution

_EFFORT = 3.0  # deterministic seconds: ResNet-50 under four limits to within 1 %
_CANDIDATES = 48


@allocator(
    needs=["scores"],
    reason="the widths with the highest total score under all limits are other ones",
)
def best_score(
    problem: AllocationProblem,
    *,
    macs: float | None = None,
    latency: float | None = None,
    memory: float | None = None,
    batch_size: int = 1,
    multiple: int = 8,
    floor: float = 0.1,
    normalize: Literal["none", "group"] = "none",
) -> dict[str, int]:
    """The best widths that the solver finds.

    Args:
        problem: The target, one more limit, and the scores.
        macs: Fraction of the network's multiply-accumulates that may stay.
        latency: Fraction of its latency, as profiled, that may stay.
        memory: Fraction of its peak memory that may stay.
        batch_size: Images in a pass, for the memory.
        multiple: Widths are multiples of it, or full.
        floor: Fraction of each group's width that stays.
        normalize: `group` divides the scores of a group by their mean.

    Raises:
        BadInputError: No widths meet a limit; the message says how far each one has to be raised.
    """
    limits = limits_of(problem, macs=macs, latency=latency, memory=memory, batch_size=batch_size)
    return dict(best_widths(problem, limits, multiple=multiple, floor=floor, normalize=normalize).widths)


def limits_of(
    problem: AllocationProblem, *, macs: float | None, latency: float | None, memory: float | None, batch_size: int
) -> list[Limit]:
    """The target and all further limits. See `best_score` for the arguments."""
    limits = [_part(problem.measure, problem.cost, 1 - problem.target)]
    if macs is not None:
        limits.append(_part("multiply-accumulates", MacCount(problem.channel_map), macs))
    if latency is not None:
        limits.append(_part("latency", problem.latency(), latency))
    if memory is not None:
        stored, steps = problem.memory(batch_size)
        whole = Limit(name="peak memory", shared=stored, costs=steps, budget=0.0).value({})
        limits.append(Limit(name="peak memory", shared=stored, costs=steps, budget=memory * whole))
    return limits


def _part(name: str, cost: Cost, fraction: float) -> Limit:
    return Limit(name=name, shared=cost, budget=fraction * cost({}))


def best_widths(
    problem: AllocationProblem,
    limits: Sequence[Limit],
    *,
    multiple: int,
    floor: float,
    normalize: Literal["none", "group"],
) -> "Solution":
    """The best widths that the solver finds, with its bound.

    Raises:
        BadInputError: No widths meet a limit; the message says how far each one has to be raised.
    """
    from workers.allocation.width_model import solve_widths  # the solver takes a second to be imported

    candidates = candidate_widths(problem, floor=floor, multiple=multiple)
    narrowest = {name: widths[0] for name, widths in candidates.items()}
    broken = [limit for limit in limits if not limit.met(narrowest)]
    if broken:
        raise BadInputError("; ".join(_impossible(limit, narrowest) for limit in broken))
    kept_scores = {
        name: _kept_scores(values, candidates[name]) for name, values in comparable(problem.scores(), normalize).items()
    }
    return solve_widths(kept_scores, limits, uniform_start(candidates, limits), effort=_EFFORT)


def candidate_widths(problem: AllocationProblem, *, floor: float, multiple: int) -> dict[str, list[int]]:
    """Group name -> widths to choose from, ascending: the allowed ones, thinned out evenly where they are many.

    Without ranges these are multiples and the full width.
    """
    allowed: dict[str, Sequence[int]] = {name: each.allowed for name, each in problem.ranges.items()}
    if not allowed:
        full = problem.channel_map.widths()
        least = smallest_widths(problem.channel_map, floor, multiple)
        allowed = {name: multiples_of(multiple, width, least=least[name]) for name, width in full.items()}
    candidates = {}
    for name, widths in allowed.items():
        count = min(len(widths), _CANDIDATES)
        candidates[name] = [widths[round(place * (len(widths) - 1) / max(1, count - 1))] for place in range(count)]
    return candidates


def uniform_start(candidates: Mapping[str, Sequence[int]], limits: Sequence[Limit]) -> dict[str, int]:
    """The candidates at the largest common fraction of all widths that meets all limits.

    The narrowest candidates have to meet them.
    """

    def widths_at(fraction: float) -> dict[str, int]:
        return {
            name: max([width for width in widths if width <= fraction * widths[-1]], default=widths[0])
            for name, widths in candidates.items()
        }

    fractions = sorted({width / widths[-1] for widths in candidates.values() for width in widths})
    few, many = 0, len(fractions)
    while many - few > 1:
        middle = (few + many) // 2
        met = all(limit.met(widths_at(fractions[middle])) for limit in limits)
        few, many = (middle, many) if met else (few, middle)
    return widths_at(fractions[few])


def _kept_scores(scores: Float[Tensor, " width"], candidates: Sequence[int]) -> dict[int, float]:
    """Candidate width -> sum of the scores of that many channels, the highest ones."""
    kept = scores.double().sort(descending=True).values.cumsum(0)
    return {width: float(kept[width - 1]) for width in candidates}


def _impossible(limit: Limit, narrowest: Widths) -> str:
    whole = limit.value({})
    return (
        f"no widths meet the limit on {limit.name}: {limit.budget / whole:.1%} are allowed, and "
        f"{limit.value(narrowest) / whole:.1%} stay with every group at its smallest width; allow "
        "that much, or lower `floor` or `multiple`"
    )
