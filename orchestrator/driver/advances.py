"""Which lost attempts had got further than the ones before them, as their checkpoints show."""

from collections.abc import Sequence
from dataclasses import replace

from jobs.outcome import Cause, Failed, Outcome
from orchestrator.store import ArtifactStore


class Advances:
    """Compares the checkpoints of tasks whose attempts were lost.

    Args:
        store: Where the checkpoints are. Where it cannot be reached, nothing counts as progress.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._seen: dict[str, tuple[float, int]] = {}

    def noted(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes; those lost attempts that left a new checkpoint have `progressed`."""
        return [
            self._noted(each) if isinstance(each, Failed) and each.cause is Cause.PREEMPTED else each
            for each in outcomes
        ]

    def _noted(self, outcome: Failed) -> Failed:
        try:
            found = self._store.checkpoint_version(outcome.key)
        except OSError:
            return outcome
        if found is None or found == self._seen.get(outcome.key):
            return outcome
        self._seen[outcome.key] = found
        return replace(outcome, progressed=True)
