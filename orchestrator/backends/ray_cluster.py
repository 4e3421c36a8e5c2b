"""Tasks as Ray tasks. The one module that imports ray for running.

Flat: no task waits for another. Ray retries nothing; every loss comes back as an outcome with its cause, and the
machine decides. `RAY_ADDRESS` names the cluster to join; without it a local one is started and stopped again.
"""

import logging
import os
import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

from jobs.outcome import Cause, Failed, Outcome
from jobs.task import Resources, Task
from orchestrator.backends.base import Slots
from orchestrator.store import LocalStore, open_store
from workers.entry import Provenance, run_task

_GPU_TASKS_PER_PROCESS = 100
"""After so many tasks a worker process with a GPU ends, and with it all memory that it holds."""

_GATHER_S = 0.02


@cache
def cached_store(storage: str) -> LocalStore:
    """The store at a URI, opened once per process."""
    return open_store(storage)


Execute = Callable[[Task, str, Provenance], Outcome]


def execute(task: Task, storage: str, provenance: Provenance) -> Outcome:
    """What a Ray worker does with a task."""
    return run_task(task, cached_store(storage), provenance=provenance)


class RayBackend:
    """See `Backend`.

    Args:
        storage: URI of the store, opened by each worker.
        provenance: Goes into the manifests.
        execute: What a worker does with a task.
    """

    def __init__(self, storage: str, provenance: Provenance, execute: Execute = execute) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        self._ray = ray
        address = os.environ.get("RAY_ADDRESS")
        if address is None:
            # Local workers inherit this, so that a user's own networks are found where the command was given.
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=None if address else False,
        )

        # Store and provenance travel with the function, once. Task and outcome travel as bytes, which Ray passes on as
        # they are: its own pickler, made for closures, costs more than an empty task.
        def work(pickled: bytes) -> bytes:
            task: Task = pickle.loads(pickled)
            if task.resources.num_gpus == 0:
                os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves it unset, which would show every GPU there is
            return pickle.dumps(execute(task, storage, provenance))

        self._work = work
        self._functions: dict[Resources, Callable[..., Any]] = {}
        self._tasks: dict[Any, Task] = {}

    def slots(self) -> Slots:
        """What the cluster has now; nodes that an autoscaler could start do not count."""
        resources = self._ray.cluster_resources()
        return Slots(cpus=resources.get("CPU", 0.0), gpus=resources.get("GPU", 0.0))

    def submit(self, task: Task) -> None:
        """Hand a task to Ray."""
        self._tasks[self._function(task.resources)(pickle.dumps(task))] = task

    def wait(self, timeout_s: float) -> list[Outcome]:
        """What has finished; waits for the first, then a moment for others: many short tasks come in few calls."""
        references = list(self._tasks)
        if not references:
            return []
        done, _ = self._ray.wait(references, num_returns=1, timeout=timeout_s, fetch_local=True)
        if done:
            done, _ = self._ray.wait(references, num_returns=len(references), timeout=_GATHER_S, fetch_local=True)
        tasks = [self._tasks.pop(reference) for reference in done]
        try:
            return [pickle.loads(outcome) for outcome in self._ray.get(done)]
        except self._ray.exceptions.RayError:
            return [self._outcome(task, reference) for task, reference in zip(tasks, done, strict=True)]

    def close(self) -> None:
        """Stop what runs and leave the cluster; a local one ends."""
        for reference in self._tasks:
            self._ray.cancel(reference, force=True)
        self._tasks.clear()
        self._ray.shutdown()

    def _function(self, resources: Resources) -> Callable[..., Any]:
        """The remote function for a resource request; each is defined once."""
        if resources not in self._functions:
            options: dict[str, Any] = {"num_cpus": resources.num_cpus, "max_retries": 0}
            if resources.num_gpus:
                options |= {"num_gpus": resources.num_gpus, "max_calls": _GPU_TASKS_PER_PROCESS}
            if resources.memory_bytes:
                options["memory"] = resources.memory_bytes
            self._functions[resources] = self._ray.remote(**options)(self._work).remote
        return self._functions[resources]

    def _outcome(self, task: Task, reference: Any) -> Outcome:
        try:
            outcome: Outcome = pickle.loads(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            return Failed(key=task.key, cause=self._cause(error), message=_first_line(error), traceback=str(error))
        return outcome

    def _cause(self, error: BaseException) -> Cause:
        exceptions = self._ray.exceptions
        if isinstance(error, exceptions.OutOfMemoryError):
            return Cause.OUT_OF_MEMORY
        if isinstance(error, exceptions.TaskCancelledError):
            return Cause.CANCELLED
        if isinstance(error, exceptions.RayTaskError):
            return Cause.BUG  # `run_task` raises nothing: its own module could not be imported, or the like
        if isinstance(error, exceptions.WorkerCrashedError | exceptions.NodeDiedError | exceptions.ObjectLostError):
            return Cause.PREEMPTED
        return Cause.TRANSIENT


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
