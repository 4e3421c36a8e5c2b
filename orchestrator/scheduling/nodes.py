"""Which nodes are bad: those where one task after another dies.

Knows what came back from where; knows no cluster.
"""

from collections import defaultdict

from jobs.outcome import Cause, Failed, Outcome

_KILLS = 3
"""So many different tasks in a row that died on a node, with no success between, make it a bad one."""


class NodeHealth:
    """What is known of the nodes of a cluster.

    Attributes:
        avoided: The bad ones; once bad, a node stays so for this driver.
    """

    def __init__(self) -> None:
        self.avoided: frozenset[str] = frozenset()
        self._killed: defaultdict[str, set[str]] = defaultdict(set)

    def observe(self, outcome: Outcome) -> None:
        """Take in where an attempt ended and how."""
        if not outcome.node:
            return
        if not isinstance(outcome, Failed):
            self._killed.pop(outcome.node, None)
        elif outcome.cause is Cause.PREEMPTED or (outcome.cause is Cause.OUT_OF_MEMORY and not outcome.on_gpu):
            killed = self._killed[outcome.node]
            killed.add(outcome.key)
            if len(killed) >= _KILLS:
                self.avoided |= {outcome.node}
