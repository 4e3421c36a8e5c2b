"""Translates errors of Ray into failures: their cause, the node on which they happened, and after how long."""

import logging
import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray import exceptions
from ray._private.grpc_utils import init_grpc_channel
from ray.core.generated import common_pb2, gcs_service_pb2, gcs_service_pb2_grpc

from jobs.outcome import Cause, Failed
from jobs.task import Attempt

Reference = ray.ObjectRef[bytes]
"""The Ray reference to the outcomes of a bundle."""

_messages: Any = gcs_service_pb2  # generated, without types
_LEFT: int = common_pb2.TaskStatus.Value("SUBMITTED_TO_WORKER")  # type: ignore[attr-defined]
_log = logging.getLogger("orchard")

_CAUSES: tuple[tuple[tuple[type[BaseException], ...], Cause], ...] = (
    ((exceptions.OutOfMemoryError,), Cause.OUT_OF_MEMORY),
    ((exceptions.TaskCancelledError,), Cause.CANCELLED),
    ((exceptions.WorkerCrashedError, exceptions.NodeDiedError, exceptions.ObjectLostError), Cause.PREEMPTED),
    # Worker code does not raise: Orchard could not be imported there, or the like.
    ((exceptions.RayTaskError, exceptions.UnserializableException), Cause.BUG),
)
"""Everything else is TRANSIENT: a full disk or object store, an environment that could not be set up."""

_NODE = re.compile(r"(?:[Nn]ode ID|IP: [^,]+, ID): ([0-9a-f]{56})")
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
_ADDRESS = re.compile(r"IP(?: address)?: ([0-9A-Fa-f.:]*[0-9A-Fa-f])")

_PATIENCE_S = 2.0
"""Ray reports to its head once a second which task ran on which node."""

_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is known of the run of a Ray task that has ended without a result.

    Attributes:
        node: Ray's id of the node; empty where unknown.
        duration_s: Seconds from its start to its end; 0 where it has not started, or that is unknown.
    """

    node: str = ""
    duration_s: float = 0.0


def cause_of(error: BaseException) -> Cause:
    """The cause that corresponds to an error of Ray."""
    return next((cause for types, cause in _CAUSES if isinstance(error, types)), Cause.TRANSIENT)


def means_lost_cluster(error: BaseException) -> bool:
    """Whether no task of this driver can run any more, because the raylet on its own machine has ended."""
    return isinstance(error, exceptions.LocalRayletDiedError)


def failures(bundle: Sequence[Attempt], error: BaseException, run: Run, *, host: str) -> list[Failed]:
    """The failures of the attempts in a bundle whose Ray task raised an error.

    Where several ran out of memory together, the culprit is unknown: they are PREEMPTED, and run again, each alone.

    Args:
        bundle: The attempts that ran in one Ray task.
        error: The error that Ray raised.
        run: That Ray task's run; the first attempt stands for all of its time.
        host: The node's host name; empty where unknown, then the address in the error is used, if any.
    """
    cause = cause_of(error)
    if cause is Cause.OUT_OF_MEMORY and len(bundle) > 1:
        cause = Cause.PREEMPTED
    text = _text(error)
    address = _ADDRESS.search(text)
    return [
        Failed(
            key=attempt.task.key,
            cause=cause,
            message=_line(error, text),
            traceback=text,
            duration_s=0.0 if number else run.duration_s,
            node=run.node,
            host=host or (address[1] if address else ""),
            together=number > 0,
        )
        for number, attempt in enumerate(bundle)
    ]


def cancelled(bundle: Sequence[Attempt], run: Run) -> list[Failed]:
    """The outcomes of the attempts in a bundle whose Ray task was cancelled by force; see `failures`."""
    return [
        Failed(
            key=attempt.task.key,
            cause=Cause.CANCELLED,
            message="cancelled by force",
            duration_s=0.0 if number else run.duration_s,
            node=run.node,
        )
        for number, attempt in enumerate(bundle)
    ]


def runs_of(errors: Mapping[Reference, BaseException]) -> Mapping[Reference, Run]:
    """What is known of Ray tasks that have just failed.

    Some errors name the node. Where only the worker died the error does not, but Ray's head knows for a while.

    Args:
        errors: The errors that Ray raised, by reference.

    Returns:
        Their runs, by reference, as far as known within two seconds.
    """
    crashed = {each for each, error in errors.items() if isinstance(error, exceptions.WorkerCrashedError)}
    runs = known_runs(errors, named=crashed)
    named = {reference: found[1] for reference, error in errors.items() if (found := _NODE.search(str(error)))}
    return {each: replace(run, node=named.get(each, run.node)) for each, run in runs.items()}


def known_runs(
    references: Iterable[Reference], *, named: Collection[Reference] = (), patience_s: float = _PATIENCE_S
) -> Mapping[Reference, Run]:
    """What Ray's head knows of Ray tasks that have just ended.

    Args:
        references: The Ray tasks.
        named: Those of them to ask about again until their node is known.
        patience_s: How long to ask.

    Returns:
        A run for each; an empty one where nothing is known.
    """
    ended_s, deadline = time.time(), time.monotonic() + patience_s
    runs = dict.fromkeys(references, Run())
    asked = list(runs)
    try:
        channel = init_grpc_channel(ray.get_runtime_context().gcs_address) if asked else None
        while asked:
            for reference in asked:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return runs
                runs[reference] = _ask(channel, reference, ended_s, left_s)
            asked = [each for each in named if not runs[each].node]
            time.sleep(_POLL_S if asked else 0)
    except Exception as error:  # an internal interface of Ray: without it no more is known, and that is all
        _log.debug("Ray's head did not say where and since when tasks ran: %s", error)
    return runs


def _ask(channel: Any, reference: Reference, ended_s: float, timeout_s: float) -> Run:
    request = _messages.GetTaskEventsRequest(limit=1)
    request.filters.task_filters.add(task_id=reference.task_id().binary(), predicate=_messages.FilterPredicate.EQUAL)
    head = gcs_service_pb2_grpc.TaskInfoGcsServiceStub(channel)
    for event in head.GetTaskEvents(request, timeout=timeout_s).events_by_task:
        return _run(event.state_updates, ended_s)
    return Run()


def _run(states: Any, ended_s: float) -> Run:
    """The run that a Ray task's states amount to; this process noted when it left for a worker, by its own clock."""
    left_ns = states.state_ts_ns.get(_LEFT, 0)
    return Run(node=states.node_id.hex(), duration_s=max(0.0, ended_s - left_ns / 1e9) if left_ns else 0.0)


def _text(error: BaseException) -> str:
    return _COLOURS.sub("", str(error)).strip() or type(error).__name__


def _line(error: BaseException, text: str) -> str:
    """A one-line summary: the last line of a worker's traceback, else the first line."""
    return text.splitlines()[-1 if isinstance(error, exceptions.RayTaskError) else 0]
