"""Do the clocks agree?"""

from collections.abc import Sequence

from orchestrator.doctor.facts import HostFacts
from orchestrator.doctor.finding import Finding, fail, ok, warn

NAME = "clocks"
NOTICED_S, REFUSED_S = 5.0, 15 * 60.0
"""Journals and curves come out of order; beyond a quarter of an hour, object stores refuse what is signed."""

_REMEDY = "let every machine keep its time by a time server (chrony, systemd-timesyncd)"


def judge(machines: Sequence[HostFacts]) -> Finding | None:
    """Judge; nothing to say where there is one clock only."""
    if not machines:
        return None
    worst = max(machines, key=_surely_s)
    found = f"{worst.name} is {worst.clock_skew_s:+.1f} s (± {worst.clock_error_s:.1f} s) from the driver's clock"
    if _surely_s(worst) < NOTICED_S:
        return ok(NAME, "they agree within seconds")
    return (fail if _surely_s(worst) >= REFUSED_S else warn)(NAME, found, _REMEDY)


def _surely_s(machine: HostFacts) -> float:
    """The least that the clock is off."""
    return max(0.0, abs(machine.clock_skew_s) - machine.clock_error_s)
