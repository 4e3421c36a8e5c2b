"""Computes sweeps on a backend, for the commands that do: `orchard run` and `orchard search`."""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console

from jobs.spec.sweep import SweepSpec
from orchestrator.backends import BACKENDS, Backend
from orchestrator.commands.own_job import stop_own_job
from orchestrator.driver.lease import LOST, TERMINATED, DriverLease
from orchestrator.driver.progress import ProgressDisplay
from orchestrator.driver.publishing import Publisher
from orchestrator.driver.resume import resume_point
from orchestrator.driver.run import RunSummary, run_sweep
from orchestrator.environment import git_commit, gpus_of_this_machine, read_environment
from orchestrator.executables import typed
from orchestrator.planning import Plan, PlanEnvironment
from orchestrator.results import Curve
from orchestrator.results.stored_times import stored_times
from orchestrator.status import equal_failures
from orchestrator.store import ArtifactStore
from orchestrator.tracking import TrackedSweep
from workers.attempt.entry import Provenance
from workers.attempt.processor import cpu_model


class Computer:
    """Computes sweeps one after the other; the backend is opened when there is something to compute.

    A context manager: closes the backend at the end.

    Args:
        store: The store of the sweeps.
        lease: The driver's lease.
        backend: Name of the backend.
        console: Shows the progress.
    """

    def __init__(self, store: ArtifactStore, lease: DriverLease, backend: str, console: Console) -> None:
        self._store, self._lease, self._console = store, lease, console
        self._name = backend
        self._provenance = Provenance(git_commit=git_commit())
        self._backend: Backend | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._backend is not None:
            self._backend.close()

    def environment(self, spec: SweepSpec) -> PlanEnvironment:
        """What the plan of a sweep depends on, for the device class of the backend."""
        return read_environment(spec, device=self._device(spec))

    def run(self, spec: SweepSpec, plan: Plan) -> tuple[RunSummary, Publisher]:
        """Compute what is missing of a planned sweep, and say where times in the store are from. See `run_sweep`."""
        here = cpu_model() if self._name == "inline" and plan.environment.device == "cpu" else ""
        if told := stored_times_text(stored_times(plan, self._store), here=here):
            self._console.print(told, markup=False, highlight=False, soft_wrap=True)
        resume = resume_point(plan, self._store)
        if self._backend is None and resume.present.issuperset(plan.targets):
            backend = self._open("inline")  # nothing will run, so no cluster is started
        else:
            backend = self._backend = self._backend or self._open(self._name)
        with self._lease.stopping_on_sigterm(), ProgressDisplay(self._console) as progress:
            return run_sweep(spec, plan, resume, self._store, backend, progress, self._provenance, self._lease)

    def _device(self, spec: SweepSpec) -> str:
        if spec.device != "auto":
            return spec.device
        if self._name == "ray" and "RAY_ADDRESS" in os.environ:
            self._backend = self._backend or self._open(self._name)
            return "cuda" if any(kind.gpus and kind.count for kind in self._backend.node_kinds()) else "cpu"
        return "cuda" if gpus_of_this_machine() else "cpu"

    def _open(self, name: str) -> Backend:
        return BACKENDS[name](self._store, self._provenance, self._lease)


def stored_times_text(counts: Mapping[str, int], *, here: str) -> str:
    """What to say of times that are taken from the store; empty where all were measured here.

    Args:
        counts: Model of GPU or processor -> how many results of `time` and `profile` are from it; empty: unknown.
        here: The model that this run would time; empty where the driver does not know it.
    """
    elsewhere = {name: count for name, count in counts.items() if not here or name != here}
    if not elsewhere:
        return ""
    places = ", ".join(f"{name or 'machines that are not known'} ({count})" for name, count in elsewhere.items())
    where = f"{places}, not on {here}" if here else places
    return (
        f"Times in the store are used that were measured on {where}. To measure anew, give `machine` a word, in "
        "measure.latency and in profile."
    )


def finish(publisher: Publisher, lease: DriverLease) -> tuple[tuple[Curve, ...], TrackedSweep | None] | None:
    """Log everything that was computed; None where the driver must end without writing anything more.

    Whoever is told to end meanwhile logs to the end: nothing else is left to do.
    """
    if lease.hurried:
        return None
    with lease.stopping_on_sigterm():
        return publisher.finish()


def print_tracking(console: Console, spec: SweepSpec, store: ArtifactStore, tracked: TrackedSweep | None) -> None:
    """Say where a sweep's runs are in MLflow, or what logs them once it is back."""
    from orchestrator.tracking import ui_command

    if tracked:
        console.print(f"MLflow: {tracked.address}", soft_wrap=True, highlight=False)
        if command := ui_command(spec.name, store.uri, spec.tracking):
            console.print(f"  shown by: {command}", soft_wrap=True, highlight=False)
    else:
        again = f"{typed('orchard')} sync {spec.name} --storage {store.uri}"
        console.print(f"MLflow was not reached; once it is back: {again}", soft_wrap=True, highlight=False)


def print_troubles(console: Console, summary: RunSummary) -> None:
    """Print the failed tasks of a run, equal ones together, how many depend on them, and why the run stopped early."""
    for failure in equal_failures(summary.failed):
        text = f"{failure.line}\n  log: {failure.log or 'none was written'}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    if blocked := summary.blocked:
        console.print(f"{blocked} tasks could not run because they depend on a failed one.", highlight=False)
    if summary.stopped:
        text = f"Stopped: {summary.stopped}. Finished results are kept; the same command continues."
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def end_run(summary: RunSummary) -> int:
    """The exit code of a run, see `exit_code`; where it was stopped on purpose, its Ray job is stopped, too.

    On purpose is: cancelled, or its budget is spent. Whoever was terminated or has lost its lease may be tried again.
    """
    if summary.stopped and summary.stopped not in (LOST, TERMINATED):
        stop_own_job()
    return exit_code(summary)


def exit_code(summary: RunSummary) -> int:
    """The exit code of a run, as `orchestrator.cli` documents it."""
    return 0 if summary.complete else 3 if summary.stopped else 1
