"""The only door to the stages: a task and a store in, an outcome out.

Every failure becomes a value here; nothing is raised. Knows no cluster: whoever calls it decides where and when.
"""

from __future__ import annotations

import logging
import os
import platform
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from jobs.artifact import Commit, CorruptArtifactError, Manifest, MissingArtifactError, Store
from jobs.errors import BadInputError, BadNumericsError, CancelledError
from jobs.identity import canonical
from jobs.outcome import Cause, Failed, Outcome, Succeeded
from jobs.task import Resources, StageKind, Task

if TYPE_CHECKING:
    import torch

    from workers.stages import Context, Product

    StageFunction = Callable[[Context], Product]

_log = logging.getLogger("orchard")
_log.setLevel(logging.INFO)  # for the logs of failed tasks; what a terminal shows is its handler's choice

LIBRARIES = ("torch", "torchvision", "numpy", "ortools")
"""Libraries whose versions go into every manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the driver knows of the code that runs; kept in manifests, no part of any key."""

    git_commit: str = ""


def run_task(
    task: Task,
    store: Store,
    *,
    provenance: Provenance | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    may_commit: Callable[[], bool] = lambda: True,
    stage_of: Callable[[StageKind], StageFunction] | None = None,
) -> Outcome:
    """Run one task and commit its artifact; a task whose artifact is there is not run.

    Args:
        task: What to run.
        store: Where inputs are read and the result is committed.
        provenance: Goes into the manifest.
        should_stop: Asked before the stage runs, and polled by long stages per batch.
        may_commit: Asked before the result is committed; false where another driver has taken the sweep over.
        stage_of: Which function runs a stage; default: those of `workers.stages`.
    """
    started = time.time()
    host = _host()
    _COLLECTOR.records = []
    try:
        if store.has(task.key):
            manifest = store.manifest(task.key)
            return Succeeded(key=task.key, measurements=manifest.measurements, duration_s=0.0, host=host, reused=True)
        if should_stop():
            raise CancelledError("stopped on request before it started")
        product = _product(task, store, should_stop, stage_of)
        if not may_commit():
            raise CancelledError("another driver has taken this sweep over; its own attempt counts")
        return _commit(task, store, product, provenance or Provenance(), started, host)
    except Exception as error:
        cause = cause_of(error)
        trace = "" if cause in {Cause.BAD_INPUT, Cause.CANCELLED} else traceback.format_exc()
        message = str(error) or type(error).__name__
        text = "\n".join(
            [f"{task.stage} {task.label} ({task.key})", *_COLLECTOR.records, message, traceback.format_exc()]
        )
        return Failed(
            key=task.key,
            cause=cause,
            message=message if cause is not Cause.BUG else f"{type(error).__name__}: {message}",
            traceback=trace,
            log=_write_log(store, task.key, text),
            duration_s=time.time() - started,
            host=host,
        )


def _product(
    task: Task,
    store: Store,
    should_stop: Callable[[], bool],
    stage_of: Callable[[StageKind], StageFunction] | None,
) -> Product:
    # Torch is imported with the first stage that runs, not with this module: a reused task needs none of it.
    from workers.stages import Context, stage_function

    context = Context(task=task, store=store, device=_device(task), should_stop=should_stop)
    product = (stage_of or stage_function)(task.stage)(context)
    try:
        canonical([product.measurements, product.timings])
    except ValueError:
        raise BadNumericsError(f"{task.stage} measured NaN or infinity: {dict(product.measurements)}") from None
    return product


def _commit(task: Task, store: Store, product: Product, provenance: Provenance, started: float, host: str) -> Succeeded:
    ended = time.time()
    manifest = Manifest(
        key=task.key,
        stage=task.stage.value,
        identity=task.identity(),
        measurements=product.measurements,
        timings=product.timings,
        label=task.label,
        created_s=ended,
        duration_s=ended - started,
        host=host,
        versions=versions(),
        git_commit=provenance.git_commit,
    )
    commit = store.commit(manifest, product.files)
    if commit is Commit.DIFFERENT:
        _log.warning("%s %s gave another result than the one committed first", task.stage, task.key)
        manifest = store.manifest(task.key)
    return Succeeded(
        key=task.key,
        measurements=manifest.measurements,
        duration_s=ended - started,
        host=host,
        nondeterministic=commit is Commit.DIFFERENT,
    )


def cause_of(error: BaseException) -> Cause:
    """The cause that an exception stands for."""
    match error:
        case BadInputError():
            return Cause.BAD_INPUT
        case BadNumericsError():
            return Cause.BAD_NUMERICS
        case CancelledError():
            return Cause.CANCELLED
        case MemoryError():
            return Cause.OUT_OF_MEMORY
        case MissingArtifactError() | CorruptArtifactError() | OSError():
            return Cause.TRANSIENT
    # torch's own error on a GPU, by name so that this module need not import torch; on a CPU it is told by its words.
    out_of_memory = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return Cause.OUT_OF_MEMORY if out_of_memory else Cause.BUG


@cache
def _host() -> str:
    return socket.gethostname()


@cache
def versions() -> dict[str, str]:
    """Of Python and of the libraries that compute; nothing is imported."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def _device(task: Task) -> torch.device:
    import torch

    limit_threads(task.resources)
    name = task.environment["device"]
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInputError(
            f"{task.stage} {task.label}: planned for cuda, but this worker sees no GPU; "
            "set device: cpu, or give the stage a GPU in `resources`"
        )
    return torch.device(name)


def limit_threads(resources: Resources) -> None:
    """Let torch use as many threads as the task has CPU slots."""
    import torch

    threads = max(1, int(resources.num_cpus))
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


class _Collector(logging.Handler):
    """Keeps the formatted records of the task that runs; a process runs one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


_COLLECTOR = _Collector()
_log.addHandler(_COLLECTOR)


def _write_log(store: Store, key: str, text: str) -> str:
    try:
        return store.write_log(key, text)
    except OSError as error:
        return f"not written: {error} (process {os.getpid()})"
