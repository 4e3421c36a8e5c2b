"""Checks that every machine sees the checkpoints and data that a sweep names by absolute paths."""

from collections.abc import Sequence

from orchestrator.doctor.facts import HostFacts
from orchestrator.doctor.finding import Finding, fail, ok

NAME = "files"

_REMEDY = "put it on a file system that all machines have mounted at that path, or name an address: s3://BUCKET/PATH"


def judge(locations: Sequence[str], machines: Sequence[HostFacts]) -> Finding | None:
    """Check what every machine has to see; None where that is nothing.

    Args:
        locations: Absolute paths.
        machines: The machines that looked.
    """
    if not locations:
        return None
    for location in locations:
        blind = [machine.name for machine in machines if location in machine.missing]
        if blind:
            others = f" (and {len(blind) - 1} more of {len(machines)} machines)" if len(blind) > 1 else ""
            return fail(NAME, f"{location} is not there, or cannot be read, on {blind[0]}{others}", _REMEDY)
    return ok(NAME, f"{', '.join(locations)}: seen by {', '.join(machine.name for machine in machines)}")
