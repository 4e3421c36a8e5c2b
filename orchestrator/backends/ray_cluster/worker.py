"""What a Ray worker process does with the attempts that it is handed.

Decides nothing: what may be committed, the fence says; what failed, the outcome says.
"""

import os
import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

import ray

from jobs.outcome import Cause, Failed, Outcome
from jobs.stages.table import StageKind
from jobs.task import Task
from orchestrator.store import ArtifactStore, Fence, LeaseTerm, open_store
from workers.attempt.entry import Provenance, run_task

if TYPE_CHECKING:
    from workers.stages import AnyContext, Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What a worker needs beside the task; it travels with the function, once.

    Attributes:
        storage: URI of the store.
        provenance: Goes into the manifests.
        term: Of the driver that asks; without one nothing stops and everything may be committed.
    """

    storage: str
    provenance: Provenance
    term: LeaseTerm | None = None


StageOf = Callable[[StageKind], Callable[["AnyContext"], "Product"]]
Execute = Callable[[Task, Workplace], Outcome]


@cache
def cached_store(storage: str) -> ArtifactStore:
    """The store at a URI, opened once per process."""
    return open_store(storage)


@cache
def cached_fence(storage: str, term: LeaseTerm) -> Fence:
    """The fence of a term, one per process: it remembers when it last asked the store."""
    return Fence(cached_store(storage).files, term)


def execute(task: Task, place: Workplace, stage_of: StageOf | None = None) -> Outcome:
    """Run one task behind the fence of its driver's term.

    Args:
        task: What to run.
        place: Where.
        stage_of: Which function runs a stage; default: those of `workers.stages`.
    """
    run = partial(run_task, task, cached_store(place.storage), provenance=place.provenance, stage_of=stage_of)
    if place.term is None:
        return run()
    fence = cached_fence(place.storage, place.term)
    return run(should_stop=fence.should_stop, may_commit=fence.may_commit)


def work_through(pickled: bytes, place: Workplace, execute: Execute) -> bytes:
    """Run a bundle, task after task.

    Tasks and outcomes travel as bytes, which Ray passes on as they are: its own pickler, made for closures, costs more
    than an empty task.

    Args:
        pickled: The tasks.
        place: Where.
        execute: What is done with each.

    Returns:
        The outcomes, pickled, in the order of the tasks.
    """
    tasks: list[Task] = pickle.loads(pickled)
    return pickle.dumps([replace(_attempt(task, place, execute), node=_node()) for task in tasks])


def hide_gpus() -> None:
    """Show no GPU to a task that asked for none: Ray leaves the variable unset, which shows all of them."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def _attempt(task: Task, place: Workplace, execute: Execute) -> Outcome:
    try:
        return execute(task, place)
    except Exception as error:  # a store that cannot be opened, or the like: the others of its bundle go on
        return Failed(
            key=task.key,
            cause=Cause.TRANSIENT if isinstance(error, OSError) else Cause.BUG,
            message=f"{type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
        )


@cache
def _node() -> str:
    return str(ray.get_runtime_context().get_node_id())
