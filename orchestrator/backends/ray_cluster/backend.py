"""Runs attempts as Ray tasks.

Ray tasks never wait for each other, and Ray retries nothing: every loss comes back as an outcome with its cause, and
the scheduler decides. `RAY_ADDRESS` names the cluster to join; without it a local one is started and stopped again.
"""

import atexit
import logging
import os
import pickle
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util import remove_placement_group
from ray.util.placement_group import PlacementGroup

from jobs.errors import OrchardError
from jobs.outcome import Outcome
from jobs.resources import Resources
from jobs.task import Attempt
from orchestrator.backends.base import NodeKind, Slots
from orchestrator.backends.ray_cluster.bundles import Bundle, pack
from orchestrator.backends.ray_cluster.link import HEAD, LOCAL, PATIENCE_S, Link, end_lost
from orchestrator.backends.ray_cluster.losses import (
    Reference,
    Run,
    cancelled,
    failures,
    known_runs,
    means_lost_cluster,
    runs_of,
)
from orchestrator.backends.ray_cluster.machines import on_machine, options_of, reserve
from orchestrator.backends.ray_cluster.nodes import Nodes, node_kinds
from orchestrator.backends.ray_cluster.worker import (
    GPU_TASKS_PER_PROCESS,
    Execute,
    WorkerConfig,
    execute,
    hide_gpus,
    run_bundle,
)
from orchestrator.store import LeaseTerm
from workers.attempt.entry import Provenance

_GATHER_S = 0.02
_GATHERED = 4
"""`wait` gathers outcomes for at most `_GATHER_S`, or until a `1 / _GATHERED` of the Ray tasks in flight is done."""

_REVIEW_S = 5.0
_KILL_S = 0.7
"""How long to wait for Ray to confirm a forced cancellation; the process ends with the driver at the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flight:
    """A Ray task in flight.

    Attributes:
        bundle: The attempts that it runs.
        avoid: The nodes that it may not run on.
        machines: What is reserved for it on several nodes; None where it runs on one.
        given_up_s: When to stop waiting for it after a cancellation, by the monotonic clock; None: not cancelled.
    """

    bundle: Bundle
    avoid: frozenset[str]
    machines: PlacementGroup | None = None
    given_up_s: float | None = None


class RayBackend:
    """See `Backend`.

    Args:
        storage: URI of the store, opened by each worker.
        provenance: Recorded in the manifests.
        term: The driver's lease term; without one, tasks are not asked to stop and every result may be committed.
        execute: The function that a worker calls for each task.
        patience_s: How long the cluster's head, or Ray on this machine, may not answer before the cluster is lost.

    Raises:
        OrchardError: There is no cluster at RAY_ADDRESS.
    """

    def __init__(
        self,
        storage: str,
        provenance: Provenance,
        *,
        term: LeaseTerm | None = None,
        execute: Execute = execute,
        patience_s: float = PATIENCE_S,
    ) -> None:
        _connect()
        config = WorkerConfig(storage=storage, provenance=provenance, term=term)

        def work(pickled: bytes, on_gpu: bool) -> bytes:
            if not on_gpu:
                hide_gpus()
            return run_bundle(pickled, config, execute)

        self._work = work
        self._link = _link(patience_s)
        self._shared_cluster = ray.get_runtime_context().get_session_name() if "RAY_ADDRESS" in os.environ else ""
        self._nodes = Nodes(self._link.head_answers)
        self._kinds: tuple[NodeKind, ...] = ()
        self._functions: dict[Resources, Any] = {}
        self._flights: dict[Reference, _Flight] = {}
        self._waiting: Counter[Resources] = Counter()
        self._reviewed_s = time.monotonic()

    def slots(self) -> Slots:
        """The cluster's current capacity, without nodes that an autoscaler could start."""
        nodes = self._nodes.alive().values()
        return Slots(
            cpus=sum(node.cpus for node in nodes), gpus=sum(node.gpus for node in nodes), cluster=self._shared_cluster
        )

    def node_kinds(self) -> tuple[NodeKind, ...]:
        """The nodes of the cluster, and those that its autoscaler could start, as far as known."""
        if self._link.head_answers():  # else Ray hangs
            self._kinds = node_kinds(self._nodes.alive())
        return self._kinds

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Submit attempts to Ray; very short ones in bundles."""
        for bundle in pack(attempts, slots=self._nodes.slots_for, waiting=self._waiting.__getitem__):
            self._start(bundle)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """The outcomes since the last call; waits for the first, then briefly for more, so that calls are few.

        Raises:
            LostClusterError: The connection to the cluster is lost.
        """
        self._link.check()
        self._review()
        references = list(self._flights)
        if not references:
            time.sleep(timeout_s)
            return []
        done, _ = ray.wait(references, num_returns=1, timeout=timeout_s, fetch_local=True)
        if done:
            num_returns = max(1, len(references) // _GATHERED)
            done, _ = ray.wait(references, num_returns=num_returns, timeout=_GATHER_S, fetch_local=True)
        return [*self._outcomes(done), *self._given_up()]

    def cancel(self) -> None:
        """Kill everything in flight; does not wait longer than `_KILL_S` for Ray to confirm it.

        Ray 2.60 ends the process that cancels a task in the moment in which its result arrives (`Check failed: Tried to
        complete task that was not pending`). So what is queued goes first, the last of it before all: then nothing
        begins meanwhile. What runs has not looked whether to stop for the driver's whole grace period.
        """
        self._link.check()
        given_up_s = time.monotonic() + _KILL_S
        for reference, flight in reversed(list(self._flights.items())):
            ray.cancel(reference, force=True)
            self._flights[reference] = replace(flight, given_up_s=given_up_s)

    def close(self) -> None:
        """Disconnect, with which Ray kills everything in flight; a local cluster is stopped.

        Without the cluster's head, all ends at exit.
        """
        self._link.close()
        if self._link.lost:
            atexit.register(end_lost)
        else:
            for flight in self._flights.values():
                if flight.machines is not None:
                    remove_placement_group(flight.machines)
            ray.shutdown()
        self._flights.clear()

    def _start(self, bundle: Bundle) -> None:
        resources = bundle[0].resources
        avoid = self._nodes.to_avoid(resources, bundle[0].avoid) if bundle[0].avoid else frozenset()
        function, machines = self._function(resources), None
        if resources.nodes > 1:  # Ray chooses them as a group, which has no nodes to avoid
            machines, avoid = reserve(resources), frozenset()
            function = function.options(scheduling_strategy=on_machine(machines, 0))
        elif avoid:
            function = function.options(label_selector={"ray.io/node-id": f"!in({','.join(sorted(avoid))})"})
        reference = function.remote(pickle.dumps([attempt.granted for attempt in bundle]), resources.num_gpus > 0)
        self._flights[reference] = _Flight(bundle=bundle, avoid=avoid, machines=machines)
        self._waiting[resources] += len(bundle)

    def _function(self, resources: Resources) -> Any:
        """The remote function for a resource request, defined once per request."""
        if resources not in self._functions:
            options = options_of(resources)
            if resources.num_gpus:
                options["max_calls"] = GPU_TASKS_PER_PROCESS
            self._functions[resources] = ray.remote(**options)(self._work)
        return self._functions[resources]

    def _land(self, reference: Reference) -> _Flight:
        flight = self._flights.pop(reference)
        self._waiting[flight.bundle[0].resources] -= len(flight.bundle)
        if flight.machines is not None:
            remove_placement_group(flight.machines)
        return flight

    def _outcomes(self, done: Sequence[Reference]) -> list[Outcome]:
        results = _results(done)
        errors = {
            reference: result
            for reference, result in zip(done, results, strict=True)
            if not isinstance(result, bytes) and self._flights[reference].given_up_s is None
        }
        if any(means_lost_cluster(error) for error in errors.values()):
            raise self._link.loss("the Ray process of this machine has ended")
        runs = {**runs_of(errors), **self._cancelled_runs(done)}
        outcomes: list[Outcome] = []
        for reference, result in zip(done, results, strict=True):
            bundle = self._land(reference).bundle
            if isinstance(result, bytes):
                outcomes += pickle.loads(result)
            elif reference in errors:
                run = runs[reference]
                outcomes += failures(bundle, result, run, host=self._nodes.host_of(run.node))
            else:
                outcomes += cancelled(bundle, runs[reference])
        return outcomes

    def _given_up(self) -> list[Outcome]:
        now = time.monotonic()
        late = [each for each, flight in self._flights.items() if flight.given_up_s and flight.given_up_s < now]
        runs = self._cancelled_runs(late)
        return [outcome for each in late for outcome in cancelled(self._land(each).bundle, runs[each])]

    def _cancelled_runs(self, references: Sequence[Reference]) -> Mapping[Reference, Run]:
        """The runs of those that were cancelled by force."""
        forced = [each for each in references if self._flights[each].given_up_s is not None]
        return known_runs(forced, patience_s=_KILL_S)

    def _review(self) -> None:
        """Resubmit tasks that are queued although only nodes to avoid are left, without that restriction.

        The nodes are read just before, so that none is missed on which a task has begun.
        """
        if time.monotonic() - self._reviewed_s < _REVIEW_S:
            return
        self._reviewed_s = time.monotonic()
        restricted = [(reference, flight) for reference, flight in self._flights.items() if flight.avoid]
        if not restricted or not self._nodes.refresh():
            return
        for reference, flight in restricted:
            if self._nodes.starves(flight.bundle[0].resources, flight.avoid):
                ray.cancel(reference, force=True)
                self._start(self._land(reference).bundle)


def _link(patience_s: float) -> Link:
    """Watches the head and the raylet that this process is connected to."""
    context = ray.get_runtime_context()
    places = {HEAD: context.gcs_address}
    for node in ray.nodes():
        if node["NodeID"] == context.get_node_id():
            places[LOCAL] = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
    return Link(context.gcs_address, places, patience_s=patience_s)


def _connect() -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = os.environ.get("RAY_ADDRESS")
    if address is None:
        # Local workers inherit this, so that they can import the user's own modules from the working directory.
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=None if address else False,
        )
    except ConnectionError as error:
        raise OrchardError(
            f"RAY_ADDRESS={address}: no Ray cluster is found there ({error}); start one, correct the address, or unset "
            "RAY_ADDRESS to run on this machine alone"
        ) from None


def _results(references: Sequence[Reference]) -> list[bytes | RayError]:
    """The result of each Ray task, or its error."""
    try:
        return list(ray.get(list(references)))  # one call for all, unless one of them failed
    except RayError:
        return [_result(reference) for reference in references]


def _result(reference: Reference) -> bytes | RayError:
    try:
        result: bytes = ray.get(reference)
    except RayError as error:
        return error
    return result
