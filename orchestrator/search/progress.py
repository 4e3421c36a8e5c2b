"""How far a search has come: what is tried in the next round, and what follows from its results. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from jobs.outcome import INHERENT, Failed
from jobs.percent import to_percent
from orchestrator.planning import Plan
from orchestrator.results.selection import Candidate, is_within
from orchestrator.search.bisection import Bisection
from orchestrator.search.sweeps import Searched


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One compression that was tried.

    Attributes:
        percent: The compression, in whole percent.
        holds: Whether it holds the tolerance.
        network: What was measured; None where it cannot be reached.
        why: Why it cannot be reached.
        failed: The task that says so.
    """

    percent: int
    holds: bool
    network: Candidate | None = None
    why: str = ""
    failed: str = ""

    def __str__(self) -> str:
        if self.network is None:
            return f"cannot be reached: {self.why}"
        change = self.network.change
        compared = "" if change is None else f" ({self.network.metric.change(change)})"
        return (
            f"{self.network.metric.label} {self.network.text}{compared}: {'holds' if self.holds else 'does not hold'}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProgress:
    """What was tried so far of everything that is searched.

    Attributes:
        bisections: How far each has come.
        tried: What was tried of each, in this order.
    """

    bisections: Mapping[Searched, Bisection]
    tried: Mapping[Searched, tuple[Tried, ...]]

    @classmethod
    def begin(cls, searched: Sequence[Searched], *, largest: int) -> Self:
        """Nothing is tried yet of 1 to `largest` percent."""
        return cls(bisections={each: Bisection.up_to(largest) for each in searched}, tried=dict.fromkeys(searched, ()))

    @property
    def next(self) -> dict[Searched, int]:
        """The compressions of the next round, in whole percent; empty at the end."""
        found = {each: bisection.next for each, bisection in self.bisections.items()}
        return {each: percent for each, percent in found.items() if percent is not None}

    @property
    def num_rounds(self) -> int:
        """How many more rounds there are at most."""
        return max(bisection.num_rounds for bisection in self.bisections.values())

    @property
    def found(self) -> dict[Searched, Tried]:
        """The largest compression of each that was found to hold; those of which none does are left out."""
        return {
            each: tried
            for each, bisection in self.bisections.items()
            for tried in self.tried[each]
            if tried.percent == bisection.holds
        }

    @property
    def asked(self) -> dict[Searched, list[int]]:
        """The compressions of the next round's sweep: those to try, and those that were measured before."""
        measured = {
            each: [one.percent for one in tried if one.network is not None] for each, tried in self.tried.items()
        }
        return {
            each: [*percents, *([self.next[each]] if each in self.next else [])] for each, percents in measured.items()
        }

    def told(self, results: Mapping[Searched, Tried]) -> Self:
        """The progress after a round, whose results these are.

        Where a task has failed that failed at another compression, it would at all of them: that bisection ends.
        """
        bisections, tried = dict(self.bisections), dict(self.tried)
        for each, result in results.items():
            bisection = bisections[each].told(holds=result.holds)
            everywhere = result.failed and any(before.failed == result.failed for before in tried[each])
            bisections[each] = bisection.ended if everywhere else bisection
            tried[each] = (*tried[each], result)
        return replace(self, bisections=bisections, tried=tried)


def judge(
    searched: Searched,
    percent: int,
    networks: Sequence[Candidate],
    plan: Plan,
    failures: Sequence[Failed],
    *,
    within: float,
) -> Tried | None:
    """What a round says of one compression; None where a failure leaves it open.

    Args:
        searched: Whose compression.
        percent: The compression, in whole percent.
        networks: What the round's sweep has measured.
        plan: Its plan.
        failures: Its failed tasks.
        within: The tolerance, in the metric's unit.
    """
    for each in networks:
        here = (each.model, each.method, to_percent(each.asked)) == (searched.model, searched.name, percent)
        if here and each.complete and each.dense is not None:
            return Tried(percent=percent, holds=is_within(each, within), network=each)
    points = [
        point.key
        for curve in plan.curves
        if (curve.model, curve.method) == (searched.model, searched.name)
        for point in curve.points
        if to_percent(point.compression) == percent
    ]
    behind = _ancestors(points, plan)
    own = [each for each in failures if each.key in behind] or [each for each in failures if each.key not in plan.tasks]
    if own and all(each.cause in INHERENT for each in own):
        return Tried(percent=percent, holds=False, why=own[0].message, failed=own[0].key)
    return None


def _ancestors(keys: Sequence[str], plan: Plan) -> set[str]:
    """The keys and those of all planned tasks that they need; appearing tasks are in no plan."""
    found: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key in plan.tasks and key not in found:
            found.add(key)
            waiting.extend(plan.tasks[key].inputs.values())
    return found
