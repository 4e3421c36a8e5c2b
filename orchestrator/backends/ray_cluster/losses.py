"""Translates errors of Ray into failures: their cause and the node on which they happened."""

import logging
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray import exceptions
from ray._private.grpc_utils import init_grpc_channel
from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

from jobs.outcome import Cause, Failed
from jobs.task import Attempt

Reference = ray.ObjectRef[bytes]
"""The Ray reference to the outcomes of a bundle."""

_messages: Any = gcs_service_pb2  # generated, without types
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


def cause_of(error: BaseException) -> Cause:
    """The cause that corresponds to an error of Ray."""
    return next((cause for types, cause in _CAUSES if isinstance(error, types)), Cause.TRANSIENT)


def means_lost_cluster(error: BaseException) -> bool:
    """Whether no task of this driver can run any more, because the raylet on its own machine has ended."""
    return isinstance(error, exceptions.LocalRayletDiedError)


def failures(bundle: Sequence[Attempt], error: BaseException, *, node: str, host: str) -> list[Failed]:
    """The failures of the attempts in a bundle whose Ray task raised an error.

    Where several ran out of memory together, the culprit is unknown: they are PREEMPTED, and run again, each alone.

    Args:
        bundle: The attempts that ran in one Ray task.
        error: The error that Ray raised.
        node: Ray's id of the node; empty where unknown.
        host: Its host name; empty where unknown, then the address in the error is used, if any.
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
            node=node,
            host=host or (address[1] if address else ""),
            together=number > 0,
        )
        for number, attempt in enumerate(bundle)
    ]


def nodes_of(errors: Mapping[Reference, BaseException]) -> Mapping[Reference, str]:
    """The nodes on which failed Ray tasks ran.

    Some errors name the node. Where only the worker died the error does not, but Ray's head knows for a while.

    Args:
        errors: The errors that Ray raised, by reference.

    Returns:
        Node by reference, as far as known within two seconds.
    """
    nodes = {reference: found[1] for reference, error in errors.items() if (found := _NODE.search(str(error)))}
    crashed = [each for each, error in errors.items() if isinstance(error, exceptions.WorkerCrashedError)]
    return {**_nodes_from_head(crashed), **nodes}


def _nodes_from_head(references: Sequence[Reference]) -> dict[Reference, str]:
    deadline = time.monotonic() + _PATIENCE_S
    found: dict[Reference, str] = {}
    missing = set(references)
    try:
        channel = init_grpc_channel(ray.get_runtime_context().gcs_address) if missing else None
        while missing and time.monotonic() < deadline:
            found |= {reference: node for reference in missing if (node := _ask(channel, reference))}
            missing -= found.keys()
            time.sleep(_POLL_S if missing else 0)
    except Exception as error:  # an internal interface of Ray: without it the node is unknown, and that is all
        _log.debug("Ray's head did not say where tasks ran: %s", error)
    return found


def _ask(channel: Any, reference: Reference) -> str:
    request = _messages.GetTaskEventsRequest(limit=1)
    request.filters.task_filters.add(task_id=reference.task_id().binary(), predicate=_messages.FilterPredicate.EQUAL)
    head = gcs_service_pb2_grpc.TaskInfoGcsServiceStub(channel)
    events = head.GetTaskEvents(request, timeout=_PATIENCE_S).events_by_task
    return next((event.state_updates.node_id.hex() for event in events if event.state_updates.node_id), "")


def _text(error: BaseException) -> str:
    return _COLOURS.sub("", str(error)).strip() or type(error).__name__


def _line(error: BaseException, text: str) -> str:
    """A one-line summary: the last line of a worker's traceback, else the first line."""
    return text.splitlines()[-1 if isinstance(error, exceptions.RayTaskError) else 0]
