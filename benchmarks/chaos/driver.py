"""A driver that runs the chaos sweep as `orchard run` does: lease, plan, backend, journal, MLflow.

`python -m benchmarks.chaos.driver FOLDER TRACKING` runs it on the Ray cluster at RAY_ADDRESS. Exit codes are those of
`orchard run`, and 4 where another driver holds the sweep.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import ray.cloudpickle

from benchmarks.chaos import world
from jobs.errors import StoppedError
from jobs.outcome import Outcome
from jobs.stages.table import StageKind
from jobs.task import Task
from orchestrator.backends import Backend, InlineBackend
from orchestrator.backends.ray_cluster import RayBackend
from orchestrator.backends.ray_cluster.worker import WorkerConfig, execute
from orchestrator.driver.lease import DriverLease
from orchestrator.driver.resume import resume_point
from orchestrator.driver.run import run_sweep
from orchestrator.scheduling.scheduler import Scheduler
from orchestrator.store import Lease, LeaseHeldError, open_store
from workers.attempt.entry import Provenance, StageFunction

HELD = 4
TTL_S = 2.0
_BEAT_S = 0.2
_INLINE_S, _RAY_S = 0.01, 0.2


class Quiet:
    """An observer that shows nothing."""

    def update(self, scheduler: Scheduler, outcomes: Sequence[Outcome]) -> None:
        """See the class."""


def run_driver(
    root: Path,
    tracking: str,
    *,
    on_ray: bool,
    num_models: int,
    num_compressions: int = 2,
    sweep: str = world.SWEEP,
) -> int:
    """Run a sweep in a folder to its end, or to the end of this driver."""
    spec, plan = world.sweep(
        root, num_models=num_models, tracking=tracking, name=sweep, num_compressions=num_compressions
    )
    store = open_store(spec.storage)
    try:
        lease = Lease.acquire(store.files, spec.name, ttl_s=TTL_S)
    except LeaseHeldError:
        return HELD
    backend: Backend | None = None
    with DriverLease(store, lease, beat_s=_BEAT_S) as driver_lease:
        try:
            if on_ray:
                execute = partial(_execute, record=root / "record.jsonl", seconds=_RAY_S, driver=sweep)
                backend = RayBackend(store.uri, Provenance(), term=driver_lease.term, execute=execute)
            else:
                stage = partial(world.stage, record=root / "record.jsonl", seconds=_INLINE_S, driver=sweep)
                backend = InlineBackend(
                    store,
                    Provenance(),
                    should_stop=driver_lease.should_stop,
                    may_commit=driver_lease.may_commit,
                    stage_of=lambda kind: stage,
                )
            with driver_lease.stopping_on_sigterm():
                resume = resume_point(plan, store)
                summary, publisher = run_sweep(spec, plan, resume, store, backend, Quiet(), Provenance(), driver_lease)
        finally:
            if backend is not None:
                backend.close()
        if not driver_lease.hurried:
            publisher.finish()
    return 0 if summary.complete else 3 if summary.stopped else 1


def _execute(task: Task, config: WorkerConfig, *, record: Path, seconds: float, driver: str) -> Outcome:
    def stage_of(kind: StageKind) -> StageFunction:
        return partial(world.stage, record=record, seconds=seconds, driver=driver)

    return execute(task, config, stage_of=stage_of)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("tracking")
    parser.add_argument("--num-models", type=int, default=4)
    parser.add_argument("--sweep", default=world.SWEEP)
    arguments = parser.parse_args()
    # Workers cannot import the benchmarks: what they are handed travels by value.
    for module in (sys.modules["benchmarks.chaos.world"], sys.modules[__name__]):
        ray.cloudpickle.register_pickle_by_value(module)
    root, tracking, num_models = arguments.root, arguments.tracking, arguments.num_models
    try:
        sys.exit(run_driver(root, tracking, on_ray=True, num_models=num_models, sweep=arguments.sweep))
    except StoppedError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
