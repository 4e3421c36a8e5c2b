"""Detects bad nodes: those where one task after another dies, or cannot be computed. Pure."""

from collections import defaultdict

from jobs.outcome import Cause, Failed, Outcome

_KILLS = 3
"""A node is bad after this many different tasks were lost to it without a success in between."""


class NodeHealth:
    """The health of a cluster's nodes, from outcomes.

    Attributes:
        avoided: The bad nodes; a node that is bad stays so for this driver.
    """

    def __init__(self) -> None:
        self.avoided: frozenset[str] = frozenset()
        self._killed: defaultdict[str, set[str]] = defaultdict(set)

    def observe(self, outcome: Outcome) -> None:
        """Add the outcome of an attempt."""
        if not outcome.node:
            return
        if not isinstance(outcome, Failed):
            self._killed.pop(outcome.node, None)
        elif _kills(outcome) and not outcome.together:
            killed = self._killed[outcome.node]
            killed.add(outcome.key)
            if len(killed) >= _KILLS:
                self.avoided |= {outcome.node}


def _kills(failure: Failed) -> bool:
    """Whether the process of the attempt died, or the machine is unfit for it."""
    if failure.cause is Cause.OUT_OF_MEMORY:
        return not failure.on_gpu
    return failure.cause in {Cause.PREEMPTED, Cause.UNFIT_MACHINE}
