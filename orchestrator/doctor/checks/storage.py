"""Can every machine keep results in the store, and is there room?"""

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
    """Judge whether it can be written to.

    Args:
        uri: The sweep's `storage`.
        machines: Those that tried.
        on_cluster: Whether they are a cluster's.
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
    """Judge whether there is room; nothing to say of an object store."""
    rooms = [(machine.free_bytes, machine.name) for machine in machines if machine.free_bytes is not None]
    if not rooms:
        return None
    free_bytes, name = min(rooms)
    found = f"{free_bytes / 2**30:.1f} GiB free on {name}"
    remedy = "make room (`orchard gc --delete` removes what no sweep needs), or name another `storage`"
    if free_bytes < LEAST_BYTES:
        return fail(SPACE, found, remedy)
    return ok(SPACE, found) if free_bytes >= ENOUGH_BYTES else warn(SPACE, found, remedy)
