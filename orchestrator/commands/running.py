"""`orchard run`: computes missing results, logs them, and prints the table of curves."""

from collections.abc import Sequence

from rich.console import Console

from jobs.load import load_sweep
from jobs.outcome import Outcome, Succeeded
from jobs.spec.sweep import SweepSpec
from jobs.stages.base import ArtifactKey, JoiningParams
from jobs.task import Attempt
from orchestrator.backends import SimulatedBackend, Slots
from orchestrator.commands.computing import Computer, end_run, finish, print_tracking, print_troubles
from orchestrator.commands.consoles import output_console
from orchestrator.commands.grouping import check_layers
from orchestrator.driver.lease import DriverLease
from orchestrator.driver.progress import ProgressDisplay
from orchestrator.driver.publishing import Publisher
from orchestrator.driver.run import RunSummary, drive
from orchestrator.driver.steering import in_flight_limits
from orchestrator.environment import read_environment
from orchestrator.planning import plan_sweep
from orchestrator.results import Curve
from orchestrator.scheduling.scheduler import Scheduler
from orchestrator.store import ArtifactStore, open_store
from orchestrator.store.claim import acquire_unclaimed
from orchestrator.tracking import TrackedSweep

_SIMULATED_SLOTS = Slots(cpus=64, gpus=8)


def run(sweep: str, overrides: Sequence[str], *, backend: str) -> int:
    """Run a sweep file; returns the exit code."""
    spec = load_sweep(sweep, overrides)
    console = output_console()
    if backend == "simulated":
        return _simulate(spec, console)
    check_layers(spec)
    store = open_store(spec.storage)
    with DriverLease(store, acquire_unclaimed(store.files, spec.name), priority=spec.priority) as lease:
        with Computer(store, lease, backend, console) as computer:
            plan = plan_sweep(spec, computer.environment(spec))
            summary, publisher = computer.run(spec, plan)
        if finished := finish(publisher, lease):
            _print_curves(spec, store, publisher, *finished, console)
    _print_end(console, summary)
    return end_run(summary)


def _print_curves(
    spec: SweepSpec,
    store: ArtifactStore,
    publisher: Publisher,
    curves: tuple[Curve, ...],
    tracked: TrackedSweep | None,
    console: Console,
) -> None:
    """Print the table of curves and their address in MLflow."""
    from orchestrator.report import few_models, speed_table, summarize_speed, summary_tables, target_of

    if any(curve.points for curve in curves):
        shown, label = few_models(curves)
        for table in summary_tables(shown, target_of(publisher.record)):
            console.print(table)
        if label:
            told = (
                f"Models of one {label} are taken together; `orchard report {spec.name} --by LABEL` does so by others."
            )
            console.print(told, markup=False)
    speed = summarize_speed(publisher.record, curves)
    if speed.rows:
        console.print(speed_table(speed))
    print_tracking(console, spec, store, tracked)


def _print_end(console: Console, summary: RunSummary) -> None:
    if summary.computed == 0 and summary.complete:
        console.print("Nothing to compute: every result was in the store.")
    else:
        console.print(f"{summary.computed} tasks computed in {summary.duration_s:.1f} s.", highlight=False)
    print_troubles(console, summary)


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
    limits = in_flight_limits(_SIMULATED_SLOTS, backend.node_kinds())
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
