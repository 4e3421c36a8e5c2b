"""Checks that the clocks of all machines agree."""

from collections.abc import Sequence

from orchestrator.doctor.facts import HostFacts
from orchestrator.doctor.finding import Finding, fail, ok, warn

NAME = "clocks"
NOTICED_S, REFUSED_S = 5.0, 15 * 60.0
"""From `NOTICED_S` on, journals and curves get out of order; from `REFUSED_S` on, object stores reject signatures."""

_REMEDY = "synchronise the clock of every machine with a time server (chrony, systemd-timesyncd)"


def judge(machines: Sequence[HostFacts]) -> Finding | None:
    """Check the clock skew; None where there is only one clock."""
    if not machines:
        return None
    worst = max(machines, key=_least_skew_s)
    found = f"{worst.name} is {worst.clock_skew_s:+.1f} s (± {worst.clock_error_s:.1f} s) from the driver's clock"
    if _least_skew_s(worst) < NOTICED_S:
        return ok(NAME, "they agree within seconds")
    return (fail if _least_skew_s(worst) >= REFUSED_S else warn)(NAME, found, _REMEDY)


def _least_skew_s(machine: HostFacts) -> float:
    """Lower bound on the clock skew, given the measurement error."""
    return max(0.0, abs(machine.clock_skew_s) - machine.clock_error_s)
