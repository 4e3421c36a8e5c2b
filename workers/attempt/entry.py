"""The only entry point to the stages: a task and a store in, an outcome out.

Every failure becomes a value here; nothing is raised. Independent of the cluster: the caller decides where and when.
"""

from __future__ import annotations

import platform
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

from jobs.artifact import Commit, CorruptArtifactError, Manifest, MissingArtifactError, Store
from jobs.errors import BadNumericsError, CancelledError, OrchardError
from jobs.identity import canonical
from jobs.outcome import Cause, Failed, Outcome, Succeeded
from jobs.stages.table import StageKind
from jobs.task import Task
from workers.artifacts import ArtifactReader
from workers.attempt.device import device_of
from workers.attempt.failures import diagnose
from workers.attempt.log import keep_log, logger, start_log
from workers.attempt.processor import processor
from workers.attempt.usage import measured, release_gpu, start_measuring, start_measuring_gpu

if TYPE_CHECKING:
    import torch

    from workers.attempt.comparison import Comparison
    from workers.attempt.others import Elsewhere
    from workers.checkpoints import Checkpoint
    from workers.stages import AnyContext, Product

StageFunction: TypeAlias = "Callable[[AnyContext], Product]"
StageOf: TypeAlias = Callable[[StageKind], StageFunction]
"""Looks up the function of a stage."""

LIBRARIES = ("torch", "torchvision", "numpy", "ortools")
"""Libraries whose versions go into every manifest."""

_FINAL = frozenset({Cause.BAD_INPUT, Cause.BAD_NETWORK, Cause.BAD_NUMERICS, Cause.BUG})
"""Causes that a retry would meet again: no checkpoint is kept for it."""

_SELF_EXPLANATORY = frozenset({Cause.BAD_INPUT, Cause.UNFIT_MACHINE, Cause.BAD_NETWORK, Cause.CANCELLED})
"""Causes whose message is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The version of the code that runs; kept in manifests, not part of any key."""

    git_commit: str = ""


def run_task(
    task: Task,
    store: Store,
    *,
    provenance: Provenance | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    may_commit: Callable[[], bool] = lambda: True,
    stage_of: StageOf | None = None,
    checkpoint_interval_s: float | None = None,
    elsewhere: Elsewhere | None = None,
) -> Outcome:
    """Run one task and commit its artifact; a task whose artifact is there is not run.

    Args:
        task: What to run.
        store: Where inputs are read and the result is committed.
        provenance: Goes into the manifest.
        should_stop: Asked before the stage runs, and polled by long stages per batch.
        may_commit: Asked before the result is committed; false where another driver has taken the sweep over.
        stage_of: Looks up the function of a stage; default: those of `workers.stages`.
        checkpoint_interval_s: Seconds between checkpoints of long stages; default: see `Checkpoint`.
        elsewhere: The task's other machines, where it asks for several.
    """
    attempt = _Attempt(task, store, provenance or Provenance(), elsewhere)
    start_log()
    outcome: Outcome
    try:
        manifest = _committed(task.key, store)
        if manifest:
            return attempt.reused(manifest)
        start_measuring()
        product = attempt.run(should_stop, stage_of, checkpoint_interval_s)
        if not may_commit():
            raise CancelledError("another driver has taken this sweep over; its own attempt counts")
        outcome = attempt.commit(product)
    except (Exception, SystemExit) as error:
        outcome = attempt.failed(error)
    # Only here the exception and the tensors that its frames hold are freed.
    if not (isinstance(outcome, Failed) and outcome.sticky):
        release_gpu(attempt.device)
    return outcome


def _committed(key: str, store: Store) -> Manifest | None:
    """The manifest of a task that has run before; a damaged one is quarantined, and the task runs again."""
    if not store.has(key):
        return None
    try:
        return store.manifest(key)
    except CorruptArtifactError as error:
        logger.warning("%s: quarantined, and recomputed", error)
        store.quarantine(key)
    except MissingArtifactError:
        logger.warning("%s was quarantined meanwhile, and is recomputed", key)
    return None


def _compare(first: Manifest, second: Manifest, files: Mapping[str, bytes], store: Store) -> Comparison:
    """Compares a second result of a task with the first one, of whose files the readable ones are used."""
    from workers.attempt.comparison import compare

    first_files = {}
    for name in first.files:
        with suppress(OSError, OrchardError):
            first_files[name] = store.read(first.key, name)
    return compare(first, first_files, second, files)


class _Attempt:
    """One run of a task, and its three possible outcomes: reused, committed, failed."""

    def __init__(self, task: Task, store: Store, provenance: Provenance, elsewhere: Elsewhere | None) -> None:
        self.device: torch.device | None = None
        self._task, self._store, self._provenance, self._elsewhere = task, store, provenance, elsewhere
        self._started_s = time.time()
        self._checkpoint: Checkpoint | None = None

    def run(
        self,
        should_stop: Callable[[], bool],
        stage_of: StageOf | None,
        checkpoint_interval_s: float | None,
    ) -> Product:
        """Run the stage."""
        # Torch is imported with the first stage that runs, not with this module: a reused task needs none of it.
        from workers.attempt.together import together
        from workers.checkpoints import INTERVAL_S, Checkpoint
        from workers.stages import Context, stage_function

        task, store = self._task, self._store
        self.device = device_of(task)
        if self.device.type == "cuda":
            start_measuring_gpu(self.device)
        self._checkpoint = Checkpoint(
            load=lambda: store.load_checkpoint(task.key),
            save=lambda content: store.save_checkpoint(task.key, content),
            interval_s=INTERVAL_S if checkpoint_interval_s is None else checkpoint_interval_s,
        )
        context = Context(
            task=task,
            params=task.params,
            artifacts=ArtifactReader(store),
            device=self.device,
            should_stop=should_stop,
            checkpoint=self._checkpoint,
            together=together(task, store, self.device, self._elsewhere),
        )
        stage = (stage_of or stage_function)(task.stage)
        # As late as can be: a driver that was frozen meanwhile may have been followed by another.
        if should_stop():
            raise CancelledError("stopped on request before it started")
        product = stage(context)
        try:
            canonical([product.measurements, product.timings])
        except ValueError:
            raise BadNumericsError(f"{task.stage} measured NaN or infinity: {dict(product.measurements)}") from None
        return product

    def reused(self, manifest: Manifest) -> Succeeded:
        """The outcome if the artifact exists already."""
        return Succeeded(
            key=self._task.key, measurements=manifest.measurements, duration_s=0.0, host=_host(), reused=True
        )

    def commit(self, product: Product) -> Succeeded:
        """Commit the product of the stage."""
        task, store, ended_s, usage = self._task, self._store, time.time(), measured(self.device)
        manifest = Manifest(
            key=task.key,
            stage=task.stage.value,
            identity=task.identity(),
            inputs=task.inputs,
            measurements=product.measurements,
            timings=product.timings,
            label=task.label,
            created_s=ended_s,
            duration_s=ended_s - self._started_s,
            host=_host(),
            resources=task.resources.to_json(),
            usage=asdict(usage),
            versions=versions(),
            processor=processor(self.device, processes=task.resources.processes) if self.device else {},
            git_commit=self._provenance.git_commit,
        )
        comparison = None
        if store.commit(manifest, product.files) is Commit.DIFFERENT:
            first = store.manifest(task.key)
            comparison = _compare(first, manifest, product.files, store)
            logger.warning(
                "%s %s gave another result than the one committed first: %s", task.stage, task.key, comparison
            )
            manifest = first
        self._drop_checkpoint()
        return Succeeded(
            key=task.key,
            measurements=manifest.measurements,
            duration_s=ended_s - self._started_s,
            host=_host(),
            usage=usage,
            log=keep_log(task, store),
            deviation=str(comparison or ""),
            nondeterministic=bool(comparison and comparison.nondeterministic),
        )

    def failed(self, error: BaseException) -> Failed:
        """The outcome of an attempt that raised."""
        diagnosis, trace = diagnose(error), traceback.format_exc()
        if diagnosis.cause in _FINAL:
            self._drop_checkpoint()
        return Failed(
            key=self._task.key,
            cause=diagnosis.cause,
            message=diagnosis.message,
            traceback="" if diagnosis.cause in _SELF_EXPLANATORY else trace,
            log=keep_log(self._task, self._store, f"{diagnosis.message}\n{trace}"),
            duration_s=time.time() - self._started_s,
            host=_host(),
            usage=measured(None if diagnosis.sticky else self.device),
            on_gpu=diagnosis.on_gpu,
            sticky=diagnosis.sticky,
            damaged=diagnosis.damaged,
        )

    def _drop_checkpoint(self) -> None:
        if self._checkpoint and self._checkpoint.kept:
            try:
                self._store.drop_checkpoint(self._task.key)
            except OSError as error:
                logger.warning("the checkpoint stays behind: %s", error)


@cache
def _host() -> str:
    return socket.gethostname()


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of `LIBRARIES`, read without importing them."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
