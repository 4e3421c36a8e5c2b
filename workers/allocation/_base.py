"""The interface of allocations: from a target compression to a width per channel group.

An allocation decides how many channels of each group stay, not which ones. It declares the inputs that it needs, and
the caller provides them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Never, TypeAlias

from jaxtyping import Float
from torch import Tensor

from jobs.errors import BadInputError
from workers.allocation.multiples import move_to_multiples
from workers.channels import ChannelMap, Cost
from workers.criteria import Scores

Errors: TypeAlias = Mapping[str, Float[Tensor, " _"]]
"""Group name -> error after k of its n channels are removed, for k = 0 .. n-1; starts with 0 and never falls."""

Widths: TypeAlias = Mapping[str, int]
"""Group name -> channels that stay, at least 1."""

_TOLERANCE = 0.01
_WHOLE = "channels are whole, and no nearer widths were found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A smaller network that another method found.

    Attributes:
        channel_map: The channel groups of the network that it was made from.
        widths: Its widths.
    """

    channel_map: ChannelMap
    widths: Widths


def _missing(what: str) -> Callable[[], Never]:
    def refuse() -> Never:
        raise BadInputError(
            f"an allocation uses {what}, which it does not declare in `needs` or its method does not provide"
        )

    return refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationProblem:
    """The target of an allocation and the inputs that it may use.

    Attributes:
        channel_map: The network's channel groups.
        target: Fraction of the cost to remove, in [0, 1).
        cost: What `target` is a fraction of, as a function of the widths.
        measure: Name of the cost, for messages.
        scores: Importance of each channel (need `scores`).
        errors: Error of the weights as channels are removed (need `weights`).
        losses: Growth of the loss when a single group is pruned (need `losses`).
        designs: Networks that another method found (need `designs`).
        latency: Seconds of a forward pass (need `latency`).
        memory: Bytes of a forward pass on so many images: those of the weights, and those of the activations that are
            live at each of its steps.
    """

    channel_map: ChannelMap
    target: float
    cost: Cost
    measure: str = "parameters"
    scores: Callable[[], Scores] = field(default=_missing("scores"))
    errors: Callable[[], Errors] = field(default=_missing("errors of weights"))
    losses: Callable[[], Errors] = field(default=_missing("losses"))
    designs: Callable[[], Sequence[Design]] = field(default=_missing("designs"))
    latency: Callable[[], Cost] = field(default=_missing("the latency"))
    memory: Callable[[int], tuple[Cost, Sequence[Cost]]] = field(default=lambda batch_size: _missing("the memory")())


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocator:
    """An allocation: chooses a width per channel group.

    Attributes:
        choose: From a problem and the settings of the sweep file, as keyword arguments, to widths that remove `target`
            of the cost as closely as possible.
        needs: Inputs besides the channel groups (see `AllocationProblem`).
        reason: Why the target may be missed although it is feasible; goes into `Allocation.note`.
    """

    choose: Callable[..., Widths]
    needs: tuple[str, ...] = ()
    reason: str = _WHOLE

    def __call__(self, problem: AllocationProblem, **settings: Any) -> Widths:
        """Choose widths."""
        return self.choose(problem, **settings)


def allocator(*, needs: Sequence[str] = (), reason: str = _WHOLE) -> Callable[[Callable[..., Widths]], Allocator]:
    """Declares a function to be an allocation. See `Allocator` for the arguments."""
    return lambda choose: Allocator(choose=choose, needs=tuple(needs), reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Widths and the cost reduction that they reach.

    Attributes:
        widths: Group name -> channels that stay, at least 1.
        reached: Fraction of the cost removed.
        note: Why `reached` is more than one percentage point from the target; else empty.
    """

    widths: Widths
    reached: float
    note: str = ""


def allocate(
    asked: Allocator, problem: AllocationProblem, settings: Mapping[str, Any] | None = None, *, multiple: int = 1
) -> Allocation:
    """The widths that an allocation chooses, checked.

    Args:
        asked: The allocation.
        problem: The problem.
        settings: Its settings of the sweep file. `floor` (fraction of a group's width that stays) and `multiple` (of
            which widths are) also bound the target.
        multiple: Of which all widths are, or full: those that the allocation chooses are moved to multiples, in
            proportion.

    Raises:
        BadInputError: The target is missed by more than one percentage point even with every group at its smallest
            width; or the widths are not one per group, each from 1 to the group's width.
    """
    settings = settings or {}
    total = problem.cost({})
    own_multiple = max(settings.get("multiple", 1), multiple)
    narrowest = smallest_widths(problem.channel_map, settings.get("floor", 0.0), own_multiple)
    most = 1 - problem.cost(narrowest) / total
    if problem.target - most > _TOLERANCE:
        raise BadInputError(_impossible(problem, narrowest, most))
    widths = asked(problem, **settings)
    _check(problem.channel_map, widths)
    if multiple > 1:
        widths = move_to_multiples(
            widths, problem.channel_map.widths(), multiple, cost=problem.cost, target=problem.target
        )
    reached = 1 - problem.cost(widths) / total
    note = ""
    if abs(reached - problem.target) > _TOLERANCE:
        note = f"asked {problem.target:.0%}, reached {reached:.1%}: {asked.reason}{_kept_whole(problem.channel_map)}"
    return Allocation(widths=widths, reached=reached, note=note)


def smallest_widths(channel_map: ChannelMap, floor: float, multiple: int = 1) -> dict[str, int]:
    """The smallest width that each group may have.

    Args:
        channel_map: The channel groups.
        floor: Fraction of each group's width that stays at least; never less than one channel.
        multiple: Of which widths are, unless they are full.
    """
    return {
        name: min(width, math.ceil(max(1, math.ceil(round(floor * width, 9))) / multiple) * multiple)
        for name, width in channel_map.widths().items()
    }


def _impossible(problem: AllocationProblem, narrowest: Widths, most: float) -> str:
    if not narrowest:
        reason = "the network has no channel group that can be pruned"
    elif all(width == 1 for width in narrowest.values()):
        reason = "every group that can be pruned has one channel left then"
    else:
        reason = "every group that can be pruned is at the smallest width that the allocation allows then"
    return (
        f"{problem.target:.0%} of the {problem.measure} cannot be removed, at most {most:.1%} can: "
        f"{reason}{_kept_whole(problem.channel_map)}; ask for {math.floor(round(most * 100, 6))} % or less"
    )


def _kept_whole(channel_map: ChannelMap) -> str:
    refused = "; ".join(f"{', '.join(each.layers)} ({each.operator}): {each.reason}" for each in channel_map.refused)
    return f"; kept whole: {refused}" if refused else ""


def _check(channel_map: ChannelMap, widths: Widths) -> None:
    full = channel_map.widths()
    wrong = {name: width for name, width in widths.items() if not 1 <= width <= full.get(name, 0)}
    if wrong or widths.keys() != full.keys():
        missing = sorted(full.keys() - widths.keys())
        raise BadInputError(
            f"an allocation gives the widths {wrong}, and none for {missing}; allowed is one from 1 to the full width "
            f"for each of {full}"
        )
