"""Which attempts travel together: many tiny ones in one Ray task cost the driver little more than a single one.

Pure: numbers in, bundles out. Knows nothing of Ray.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jobs.resources import Resources
from jobs.task import Attempt

TINY_S = 0.02
"""Attempts that are expected to take longer travel alone."""

MOST_IN_A_BUNDLE = 32

LONGEST_BUNDLE_S = 0.25
"""What a bundle is expected to take at most: so long an outcome may wait for those behind it."""

_BUNDLES_PER_SLOT = 2
"""One that runs and one that waits: no slot idles while the driver is away."""

Bundle = tuple[Attempt, ...]


@dataclass(slots=True)
class _Open:
    """A bundle that still takes attempts."""

    attempts: list[Attempt] = field(default_factory=list)
    expected_s: float = 0.0

    def takes(self, attempt: Attempt, most: int) -> bool:
        return len(self.attempts) < most and self.expected_s + attempt.expected_s <= LONGEST_BUNDLE_S

    def add(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        self.expected_s += attempt.expected_s


def pack(
    attempts: Sequence[Attempt], *, slots: Callable[[Resources], int], waiting: Callable[[Resources], int]
) -> list[Bundle]:
    """Pack attempts into bundles; each bundle asks for one thing, and stands where its first attempt stood.

    Only first attempts share a bundle. One that failed before runs alone, so that what happens to it, happens to it.

    Args:
        attempts: In the order in which they should start.
        slots: How many attempts with these resources run at once.
        waiting: How many attempts with these resources are in flight already.
    """
    new = _tiny_by_resources(attempts)
    most = {
        resources: max(1, min(MOST_IN_A_BUNDLE, _share(count + waiting(resources), slots(resources))))
        for resources, count in new.items()
    }
    packed: list[_Open] = []
    latest: dict[tuple[Resources, frozenset[str]], _Open] = {}
    for attempt in attempts:
        kind = (attempt.resources, attempt.avoid)
        bundle = latest.get(kind) if _may_share(attempt) else None
        if bundle is None or not bundle.takes(attempt, most[attempt.resources]):
            bundle = _Open()
            packed.append(bundle)
            if _may_share(attempt):
                latest[kind] = bundle
        bundle.add(attempt)
    return [tuple(bundle.attempts) for bundle in packed]


def _may_share(attempt: Attempt) -> bool:
    return attempt.number == 1 and 0 < attempt.expected_s <= TINY_S


def _tiny_by_resources(attempts: Sequence[Attempt]) -> dict[Resources, int]:
    counts: dict[Resources, int] = {}
    for attempt in attempts:
        if _may_share(attempt):
            counts[attempt.resources] = counts.get(attempt.resources, 0) + 1
    return counts


def _share(in_flight: int, slots: int) -> int:
    return in_flight // (_BUNDLES_PER_SLOT * slots) if slots else 1
