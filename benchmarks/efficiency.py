"""How close a sweep comes to the time that its slots allow, and Ray Tune with the same trials.

Tasks of one second (asleep, so that two cores can pretend to be eight) on a real Ray of eight one-CPU slots, through
scheduler, backend, store and journal. Ideal is tasks / slots x 1 s. A few empty tasks run first, so that Orchard's
worker processes exist. Ray Tune then runs as many trials of one second on the same Ray, eight at a time, its
loggers off and its actors reused, which is the fastest it offers; it starts these actors anew in every experiment.
Figures: ratio_to_ideal, tune_ratio_to_ideal, tasks, ideal_s.
"""

import argparse
import json
import logging
import os
import tempfile
import time

from ray import tune
from ray.cluster_utils import Cluster

from benchmarks.tasks import NumberedParams, numbered_tasks
from jobs.outcome import Outcome
from jobs.task import Task
from orchestrator.backends.ray_cluster import RayBackend
from orchestrator.backends.ray_cluster.worker import WorkerConfig, execute
from orchestrator.driver.journal_writer import JournalWriter
from orchestrator.driver.run import drive
from orchestrator.driver.steering import in_flight_limits
from orchestrator.scheduling.scheduler import Scheduler
from orchestrator.store import Journal, Lease, open_store
from workers.attempt.entry import Provenance
from workers.stages import AnyContext, Product

TASK_S = 1.0


def _sleeping_stage(context: AnyContext) -> Product:
    time.sleep(TASK_S if isinstance(context.params, NumberedParams) and context.params.salt else 0.0)
    return Product(measurements={})


def _execute_sleeping(task: Task, config: WorkerConfig) -> Outcome:
    return execute(task, config, stage_of=lambda stage: _sleeping_stage)


def through_orchard(backend: RayBackend, journal: Journal, count: int, salt: int) -> float:
    """Seconds that tasks take; those with salt 0 do nothing."""
    tasks = numbered_tasks(count, salt)
    limits = in_flight_limits(backend.slots(), backend.node_kinds())
    started = time.perf_counter()
    scheduler = Scheduler(tasks, list(tasks), limits=limits)
    attempts = scheduler.start(frozenset(), {}, now_s=time.monotonic())
    summary = drive(scheduler, attempts, backend, [JournalWriter(journal)])
    seconds = time.perf_counter() - started
    if summary.computed != count:
        raise RuntimeError(f"{summary.computed} of {count} tasks were computed: {summary.failures[:1]}")
    return seconds


def _trial(config: dict[str, int]) -> None:
    time.sleep(TASK_S)
    tune.report({"done": 1})


def through_tune(folder: str, count: int, slots: int) -> float:
    """Seconds that Ray Tune takes for as many trials."""
    tuner = tune.Tuner(
        tune.with_resources(_trial, {"cpu": 1}),
        param_space={"n": tune.grid_search(list(range(count)))},
        tune_config=tune.TuneConfig(max_concurrent_trials=slots, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    )
    started = time.perf_counter()
    results = tuner.fit()
    seconds = time.perf_counter() - started
    if len(results) != count or results.num_errors:
        raise RuntimeError(f"Ray Tune ended {len(results)} of {count} trials, {results.num_errors} with errors")
    return seconds


def measure(folder: str, count: int, slots: int) -> tuple[float, float]:
    """Seconds through Orchard and through Ray Tune."""
    store = open_store(f"{folder}/store")
    with Lease.acquire(store.files, "efficiency") as lease, store.open_journal("efficiency", "driver") as journal:
        backend = RayBackend(store.uri, Provenance(), term=lease.term, execute=_execute_sleeping)
        try:
            through_orchard(backend, journal, 4 * slots, salt=0)
            orchard_s = through_orchard(backend, journal, count, salt=1)
            tune_s = through_tune(f"{folder}/tune", count, slots)
        finally:
            backend.close()
    return orchard_s, tune_s


def main() -> None:
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    logging.getLogger("ray").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="16 tasks on 4 slots.")
    count, slots = (16, 4) if parser.parse_args().quick else (200, 8)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": slots, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        with tempfile.TemporaryDirectory() as folder:
            orchard_s, tune_s = measure(folder, count, slots)
    finally:
        cluster.shutdown()
    ideal_s = count / slots * TASK_S
    print(
        json.dumps(
            {
                "ratio_to_ideal": round(orchard_s / ideal_s, 3),
                "tune_ratio_to_ideal": round(tune_s / ideal_s, 3),
                "tasks": count,
                "ideal_s": ideal_s,
            }
        )
    )


if __name__ == "__main__":
    main()
