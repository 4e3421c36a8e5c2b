"""The interface of allocations: from a target compression to a width per channel group.

An allocation decides how many channels of each group stay, not which ones. It declares the inputs that it needs, and
the caller provides them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Never, TypeAlias

from jaxtyping import Float
from torch import Tensor

from jobs.errors import BadInputError
from jobs.stages.common import WidthLimits
from workers.allocation.multiples import move_to_allowed, multiples_of
from workers.allocation.ranges import Ranges, ranges_of, smallest_width
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
        ranges: The widths that each group may have, where the sweep file or an earlier round limits them; else empty.
            Widths outside are moved inside afterwards, so that an allocation need not look at it, but can do better.
        scores: Importance of each channel (need `scores`).
        errors: Error of the weights as channels are removed (need `weights`).
        losses: Growth of the loss when a single group is pruned (need `losses`).
        spectra: Energy of each group's channels at every frequency along their order (need `spectra`).
        designs: Networks that another method found (need `designs`).
        latency: Seconds of a forward pass (need `latency`).
        memory: Bytes of a forward pass on so many images: those of the weights, and those of the activations that are
            live at each of its steps.
    """

    channel_map: ChannelMap
    target: float
    cost: Cost
    measure: str = "parameters"
    ranges: Ranges = field(default_factory=dict)
    scores: Callable[[], Scores] = field(default=_missing("scores"))
    errors: Callable[[], Errors] = field(default=_missing("errors of weights"))
    losses: Callable[[], Errors] = field(default=_missing("losses"))
    spectra: Callable[[], Mapping[str, Float[Tensor, " _"]]] = field(default=_missing("spectra"))
    designs: Callable[[], Sequence[Design]] = field(default=_missing("designs"))
    latency: Callable[[], Cost] = field(default=_missing("the latency"))
    memory: Callable[[int], tuple[Cost, Sequence[Cost]]] = field(default=lambda batch_size: _missing("the memory")())

    def smallest(self, floor: float = 0.0) -> dict[str, int]:
        """The smallest width that each group may have; without ranges, this fraction of its width, at least 1."""
        if self.ranges:
            return {name: each.smallest for name, each in self.ranges.items()}
        return smallest_widths(self.channel_map, floor)

    def largest(self) -> dict[str, int]:
        """The largest width that each group may have."""
        return {name: each.largest for name, each in self.ranges.items()} or self.channel_map.widths()

    def fixed(self, name: str) -> bool:
        """Whether a group has only one width to choose from."""
        return name in self.ranges and self.ranges[name].smallest == self.ranges[name].largest


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
        target: Fraction of the cost that was to be removed.
        reached: Fraction of the cost removed.
        note: Why `reached` is more than one percentage point from the target; else empty.
    """

    widths: Widths
    target: float
    reached: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What limits the widths of single groups.

    Attributes:
        limits: What the sweep file says of single layers.
        mixed: Whether channels are mixed into fewer rather than removed.
        present: Group name -> channels that earlier rounds have left; None: all.
        gone: From the ratio of a layer to the part of it that is gone after this round.
    """

    limits: WidthLimits
    mixed: bool = False
    present: Widths | None = None
    gone: Callable[[float], float] = field(default=lambda total: total)


def allocate(
    asked: Allocator,
    problem: AllocationProblem,
    settings: Mapping[str, Any] | None = None,
    *,
    multiple: int = 1,
    bounds: Bounds | None = None,
) -> Allocation:
    """The widths that an allocation chooses, checked.

    Args:
        asked: The allocation.
        problem: The problem.
        settings: Its settings of the sweep file. `floor` (fraction of a group's width that stays) and `multiple` (of
            which widths are) also bound the target.
        multiple: Of which all widths are, or full, unless its own is larger: those that the allocation chooses are
            moved to allowed ones, in proportion.
        bounds: Of single groups; what they say takes the place of `floor` and of the multiples.

    Raises:
        BadInputError: The target is missed by more than one percentage point even with every group at its smallest
            width; or the widths are not one per group, each from 1 to the group's width; or a pattern of the sweep
            file matches nothing.
    """
    settings = settings or {}
    total, floor = problem.cost({}), settings.get("floor", 0.0)
    own_multiple = max(settings.get("multiple", 1), multiple)
    narrowest = smallest_widths(problem.channel_map, floor, own_multiple)
    if bounds is not None:
        ranges = ranges_of(
            problem.channel_map,
            bounds.limits,
            floor=floor,
            multiple=own_multiple,
            mixed=bounds.mixed,
            present=bounds.present,
            gone=bounds.gone,
        )
        problem = replace(problem, ranges=ranges)
        narrowest = problem.smallest()
    most = 1 - problem.cost(narrowest) / total
    if problem.target - most > _TOLERANCE:
        raise BadInputError(_impossible(problem, narrowest, most))
    widths = asked(problem, **settings)
    _check(problem.channel_map, widths)
    allowed = _allowed(problem, narrowest, own_multiple)
    if multiple > 1 or any(width not in allowed[name] for name, width in widths.items()):
        widths = move_to_allowed(widths, allowed, cost=problem.cost, target=problem.target)
    reached = 1 - problem.cost(widths) / total
    note = missed(problem.target, reached, f"{_reason(asked, problem)}{_kept_whole(problem)}")
    return Allocation(widths=widths, target=problem.target, reached=reached, note=note)


def missed(target: float, reached: float, reason: str) -> str:
    """What to note of a target, and why it was missed; empty if that is by one percentage point at most."""
    if abs(reached - target) <= _TOLERANCE:
        return ""
    return f"asked {target:.0%}, reached {reached:.1%}: {reason}"


def _allowed(problem: AllocationProblem, narrowest: Widths, multiple: int) -> Mapping[str, Sequence[int]]:
    """Group name -> the widths that it may have, ascending."""
    if problem.ranges:
        return {name: each.allowed for name, each in problem.ranges.items()}
    full = problem.channel_map.widths()
    return {name: multiples_of(multiple, full[name], least=least) for name, least in narrowest.items()}


def _reason(asked: Allocator, problem: AllocationProblem) -> str:
    """Why the target is missed."""
    ratios = any(each.why and not each.kept for each in problem.ranges.values())
    if ratios and problem.cost(problem.largest()) < (1 - problem.target - _TOLERANCE) * problem.cost({}):
        return "the widths that `prune.ratios` fixes remove more"
    return asked.reason


def smallest_widths(channel_map: ChannelMap, floor: float, multiple: int = 1) -> dict[str, int]:
    """The smallest width that each group may have.

    Args:
        channel_map: The channel groups.
        floor: Fraction of each group's width that stays at least; never less than one channel.
        multiple: Of which widths are, unless they are full.
    """
    return {name: smallest_width(width, floor, multiple) for name, width in channel_map.widths().items()}


def _impossible(problem: AllocationProblem, narrowest: Widths, most: float) -> str:
    if not narrowest:
        reason = "the network has no channel group that can be pruned"
    elif any(each.why for each in problem.ranges.values()):
        reason = "every group is at the smallest width that `prune` and the allocation allow then"
    elif all(width == 1 for width in narrowest.values()):
        reason = "every group that can be pruned has one channel left then"
    else:
        multiples = {each.multiple for each in problem.ranges.values()} - {1}
        limits = (
            f"`prune` (multiple: {max(multiples)}) allows" if multiples else "`prune.floor` or the allocation allows"
        )
        reason = f"every group that can be pruned is at the smallest width that {limits} then"
    return (
        f"{problem.target:.0%} of the {problem.measure} cannot be removed, at most {most:.1%} can: "
        f"{reason}{_kept_whole(problem)}; ask for {math.floor(round(most * 100, 6))} % or less"
    )


def _kept_whole(problem: AllocationProblem) -> str:
    refused = [f"{', '.join(each.layers)} ({each.operator}): {each.reason}" for each in problem.channel_map.refused]
    asked = [f"{name} ({each.why})" for name, each in problem.ranges.items() if each.kept and each.why]
    whole = "; ".join([*refused, *asked])
    return f"; kept whole: {whole}" if whole else ""


def _check(channel_map: ChannelMap, widths: Widths) -> None:
    full = channel_map.widths()
    wrong = {name: width for name, width in widths.items() if not 1 <= width <= full.get(name, 0)}
    if wrong or widths.keys() != full.keys():
        missing = sorted(full.keys() - widths.keys())
        raise BadInputError(
            f"an allocation gives the widths {wrong}, and none for {missing}; allowed is one from 1 to the full width "
            f"for each of {full}"
        )
