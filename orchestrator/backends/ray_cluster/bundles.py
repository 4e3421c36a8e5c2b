"""Packs very short attempts into bundles: one Ray task with many of them costs the driver little more than one.

Pure: no Ray, no clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jobs.resources import Resources
from jobs.task import Attempt

TINY_S = 0.02
"""Attempts that are expected to take longer are not bundled."""

MOST_IN_A_BUNDLE = 32

LONGEST_BUNDLE_S = 0.25
"""Longest expected duration of a bundle: its first outcome waits for the last one."""

_BUNDLES_PER_SLOT = 2
"""One running and one queued, so that no slot idles while the driver is busy."""

Bundle = tuple[Attempt, ...]


@dataclass(slots=True)
class _Open:
    """A bundle that is being filled."""

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
    """Pack attempts into bundles of equal resource requests, ordered by their first attempt.

    Only first attempts share a bundle. A retry runs alone, so that a crash can be attributed to it.

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
