"""`orchard run`: computes missing results, logs them, and prints the table of curves."""

import os
import sys
from collections.abc import Sequence

from rich.console import Console

from jobs.load import load_sweep
from jobs.outcome import Outcome, Succeeded
from jobs.spec.sweep import SweepSpec
from jobs.stages.base import ArtifactKey, JoiningParams
from jobs.task import Attempt
from orchestrator.backends import BACKENDS, Backend, SimulatedBackend, Slots
from orchestrator.driver.lease import DriverLease
from orchestrator.driver.progress import ProgressDisplay
from orchestrator.driver.publishing import Publisher
from orchestrator.driver.run import RunSummary, drive, run_sweep
from orchestrator.driver.steering import capacity, in_flight_limits
from orchestrator.environment import git_commit, read_environment, this_machine_has_gpu
from orchestrator.planning import plan_sweep
from orchestrator.scheduling.scheduler import Scheduler
from orchestrator.store import ArtifactStore, Lease, open_store
from workers.attempt.entry import Provenance

_SIMULATED_SLOTS = Slots(cpus=64, gpus=8)


def run(sweep: str, overrides: Sequence[str], *, backend: str) -> int:
    """Run a sweep file; returns the exit code."""
    spec = load_sweep(sweep, overrides)
    console = Console(width=None if sys.stdout.isatty() else 200)  # wide tables in logs
    if backend == "simulated":
        return _simulate(spec, console)
    store = open_store(spec.storage)
    with DriverLease(store, Lease.acquire(store.files, spec.name), priority=spec.priority) as lease:
        summary, publisher = _compute(spec, store, lease, backend, console)
        if not lease.hurried:
            _print_curves(spec, store, publisher, console)
    _print_end(console, summary)
    return 0 if summary.complete else 3 if summary.stopped else 1


def _compute(
    spec: SweepSpec, store: ArtifactStore, lease: DriverLease, backend: str, console: Console
) -> tuple[RunSummary, Publisher]:
    provenance = Provenance(git_commit=git_commit())
    runner: Backend | None = None
    try:
        if spec.device != "auto":
            device = spec.device
        elif backend == "ray" and "RAY_ADDRESS" in os.environ:
            runner = BACKENDS[backend](store, provenance, lease)
            device = "cuda" if any(kind.gpus and kind.count for kind in runner.node_kinds()) else "cpu"
        else:
            device = "cuda" if this_machine_has_gpu() else "cpu"
        plan = plan_sweep(spec, read_environment(spec, device=device))
        if store.present(plan.targets) == set(plan.targets):
            backend = "inline"  # nothing will run, so no cluster is started
        runner = runner or BACKENDS[backend](store, provenance, lease)
        with lease.stopping_on_sigterm(), ProgressDisplay(console) as progress:
            return run_sweep(spec, plan, store, runner, progress, provenance, lease)
    finally:
        if runner is not None:
            runner.close()


def _print_curves(spec: SweepSpec, store: ArtifactStore, publisher: Publisher, console: Console) -> None:
    """Log everything to MLflow, and print the table of curves and their address."""
    curves, tracked = publisher.finish()
    from orchestrator.report import speed_table, summarize_speed, summary_table
    from orchestrator.tracking import ui_command

    if any(curve.points for curve in curves):
        console.print(summary_table(curves))
    speed = summarize_speed(publisher.record, curves)
    if speed.rows:
        console.print(speed_table(speed))
    if tracked:
        console.print(f"MLflow: {tracked.address}", soft_wrap=True, highlight=False)
        console.print(f"  shown by: {ui_command(spec.tracking)}", soft_wrap=True, highlight=False)
    else:
        again = f"orchard sync {spec.name} --storage {store.uri}"
        console.print(f"MLflow was not reached; once it is back: {again}", soft_wrap=True, highlight=False)


def _print_end(console: Console, summary: RunSummary) -> None:
    if summary.computed == 0 and summary.complete:
        console.print("Nothing to compute: every result was in the store.")
    else:
        console.print(f"{summary.computed} tasks computed in {summary.duration_s:.1f} s.", highlight=False)
    for failure in summary.failures:
        text = f"failed ({failure.cause}): {failure.message}\n  log: {failure.log or 'none was written'}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    blocked = summary.blocked
    if blocked:
        console.print(f"{blocked} tasks could not run because they depend on a failed one.", highlight=False)
    if summary.stopped:
        text = f"Stopped: {summary.stopped}. Finished results are kept; the same command continues."
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _simulate(spec: SweepSpec, console: Console) -> int:
    """Run the whole plan on a virtual clock: nothing is computed, stored or logged."""
    device = spec.device if spec.device != "auto" else "cuda"
    plan = plan_sweep(spec, read_environment(spec, device=device))

    joining = [task.params for task in plan.tasks.values() if isinstance(task.params, JoiningParams)]
    simulated = {params.source: params.placeholder_measurements() for params in joining}

    def outcome(attempt: Attempt) -> Outcome:
        key = attempt.task.key
        return Succeeded(key=key, measurements=simulated.get(ArtifactKey(key), {}), duration_s=1.0, host="simulated")

    backend = SimulatedBackend(_SIMULATED_SLOTS, duration_s=lambda attempt: 1.0, outcome=outcome)
    limits = in_flight_limits(capacity(_SIMULATED_SLOTS, backend.node_kinds()))
    scheduler = Scheduler(plan.tasks, plan.targets, limits=limits, resources=plan.resources)
    with ProgressDisplay(console) as progress:
        attempts = scheduler.start(frozenset(), {})
        summary = drive(scheduler, attempts, backend, [progress], clock=lambda: backend.now_s)
    console.print(
        f"Simulated: {summary.computed} tasks of 1 s each on {_SIMULATED_SLOTS.cpus:.0f} CPUs and "
        f"{_SIMULATED_SLOTS.gpus:.0f} GPUs take {backend.now_s:.0f} virtual seconds. Nothing was computed or stored.",
        highlight=False,
        soft_wrap=True,
    )
    return 0
