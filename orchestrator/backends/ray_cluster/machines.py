"""The further machines of a task that trains on several: a Ray task on each, beside the one that leads them.

All of them are in one placement group, which Ray fills as a whole: so the task that leads waits for none that could be
queued behind others.
"""

import pickle
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError
from ray.util import get_current_placement_group, get_node_ip_address
from ray.util.placement_group import PlacementGroup, placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from jobs.resources import Resources
from orchestrator.backends.ray_cluster.losses import Reference, cause_of
from workers.attempt.failures import Diagnosis, LostProcessError
from workers.attempt.launching import accompany
from workers.attempt.others import Follow

if TYPE_CHECKING:
    from workers.parallel import Place

_PARTING_S = 5.0


def reserve(resources: Resources) -> PlacementGroup:
    """Ask Ray for a share of each of the machines that a task asks for; returns at once."""
    share = resources.share
    amounts = {"CPU": share.num_cpus, "GPU": share.num_gpus, "memory": share.memory_bytes}
    bundle = {name: float(amount) for name, amount in amounts.items() if amount}
    group: PlacementGroup = placement_group([bundle] * resources.nodes, strategy="STRICT_SPREAD")
    return group


def on_machine(group: PlacementGroup, number: int) -> PlacementGroupSchedulingStrategy:
    """Where the Ray task of one of the machines runs; the first one leads."""
    return PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number)


def options_of(resources: Resources) -> dict[str, Any]:
    """What a Ray task asks for, on each of its machines."""
    share = resources.share
    options: dict[str, Any] = {"num_cpus": share.num_cpus, "max_retries": 0}
    if share.num_gpus:
        options["num_gpus"] = share.num_gpus
    if share.memory_bytes:
        options["memory"] = share.memory_bytes
    return options


class Machines:
    """See `Elsewhere`. To be made within the Ray task that leads.

    Args:
        resources: What its task asks for, with several nodes.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._running: list[Reference] = []

    @property
    def host(self) -> str:
        """The address that Ray knows this machine by."""
        return str(get_node_ip_address())

    def start(self, place: "Place", follow: Follow) -> None:
        """Start a Ray task on each of the other machines."""
        group, each = get_current_placement_group(), self._resources.share.processes
        assert group is not None  # the backend has put the task into one
        function = ray.remote(**options_of(self._resources))(_accompany)
        for machine in range(1, self._resources.nodes):
            numbers = range(machine * each, (machine + 1) * each)
            work = pickle.dumps((numbers, self._resources.processes, place, follow))
            self._running.append(function.options(scheduling_strategy=on_machine(group, machine)).remote(work))

    def lost(self, timeout_s: float) -> LostProcessError | None:
        """The first loss that is known within the time; what has ended well is no loss."""
        if not self._running:  # all have ended well
            time.sleep(timeout_s)
            return None
        done, self._running = ray.wait(self._running, timeout=timeout_s)
        return next(filter(None, map(_loss, done)), None)

    def end(self) -> None:
        """Let them end, as they do with the training; kill those that have not within `_PARTING_S`."""
        if self._running:  # to cancel one in the moment in which it ends would make Ray end this process
            _, self._running = ray.wait(self._running, num_returns=len(self._running), timeout=_PARTING_S)
        for each in self._running:
            ray.cancel(each, force=True)
        self._running = []


def _accompany(pickled: bytes) -> bytes:
    numbers, size, place, follow = pickle.loads(pickled)
    found: Sequence[int] = numbers
    return pickle.dumps(accompany(found, size, place, follow))


def _loss(reference: Reference) -> LostProcessError | None:
    try:
        found: LostProcessError | None = pickle.loads(ray.get(reference))
    except RayError as error:
        line = str(error).strip().splitlines()[0]
        return LostProcessError(Diagnosis(cause=cause_of(error), message=f"another machine of the training: {line}"))
    return found
