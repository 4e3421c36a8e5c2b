"""Checks that every machine can write to the store, and that its disk has space."""

from collections.abc import Sequence

from orchestrator.doctor.facts import HostFacts
from orchestrator.doctor.finding import Finding, fail, ok, warn

NAME = "storage"
SPACE = "disk space"
LEAST_BYTES, ENOUGH_BYTES = 2**30, 10 * 2**30

_WRITE = (
    "give every node the same folder (a network file system), or an object store (s3://BUCKET/PREFIX) and the right to "
    "write to it"
)


def judge(uri: str, machines: Sequence[HostFacts], *, on_cluster: bool) -> Finding:
    """Check write access.

    Args:
        uri: The sweep's `storage`.
        machines: The machines that tried to write.
        on_cluster: Whether they belong to a cluster.
    """
    unable = [machine for machine in machines if machine.storage_problem]
    if unable:
        first = unable[0]
        who = f"{first.name}: {first.storage_problem}"
        others = f" (and {len(unable) - 1} more of {len(machines)} machines)" if len(unable) > 1 else ""
        return fail(NAME, f"{uri} cannot be written to from {who}{others}", _WRITE)
    names = ", ".join(machine.name for machine in machines)
    return ok(NAME, f"{uri} was written to from {'inside the cluster: ' if on_cluster else ''}{names}")


def judge_space(machines: Sequence[HostFacts]) -> Finding | None:
    """Check the free disk space; None for an object store."""
    free = [(machine.free_bytes, machine.name) for machine in machines if machine.free_bytes is not None]
    if not free:
        return None
    free_bytes, name = min(free)
    found = f"{free_bytes / 2**30:.1f} GiB free on {name}"
    remedy = "free disk space (`orchard gc --delete` deletes what no sweep needs), or use another `storage`"
    if free_bytes < LEAST_BYTES:
        return fail(SPACE, found, remedy)
    return ok(SPACE, found) if free_bytes >= ENOUGH_BYTES else warn(SPACE, found, remedy)
