"""How many empty tasks a second go through Orchard's Ray backend, against plain Ray.

Both run on one Ray in alternation, with the same number of tasks in flight. Orchard's tasks pass the scheduler, check
the lease of their driver, commit an artifact (with fsync) and are written to a journal; plain Ray's do nothing. The Ray
has four slots whatever the machine has, so that on two cores a worker that waits for the disk leaves its core to
another. The cost model learns from the first pass how long the tasks take, as it does in a sweep.
Figures: ratio_to_ray (median over pairs), tasks_per_s, ray_tasks_per_s, peak_bytes (of the driver).
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence

import ray
from ray.cluster_utils import Cluster

from benchmarks.tasks import numbered_tasks
from jobs.outcome import Outcome
from jobs.task import Task
from orchestrator.backends.ray_cluster import RayBackend
from orchestrator.backends.ray_cluster.worker import WorkerConfig, execute
from orchestrator.driver.journal_writer import JournalWriter
from orchestrator.driver.run import drive
from orchestrator.scheduling.cost_model import CostModel
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.store import Journal, Lease, open_store
from workers.attempt.entry import Provenance
from workers.stages import AnyContext, Product

IN_FLIGHT = 64
SLOTS = 4


def _empty_stage(context: AnyContext) -> Product:
    return Product(measurements={})


def _execute_empty(task: Task, config: WorkerConfig) -> Outcome:
    return execute(task, config, stage_of=lambda stage: _empty_stage)


def through_orchard(backend: RayBackend, journal: Journal, cost_model: CostModel, count: int, salt: int) -> float:
    """Tasks per second through scheduler, backend, store and journal."""
    tasks = numbered_tasks(count, salt)
    limits = dict.fromkeys(Lane, float(IN_FLIGHT))
    started = time.perf_counter()
    scheduler = Scheduler(tasks, list(tasks), limits=limits, cost_model=cost_model)
    attempts = scheduler.start(frozenset(), {}, now_s=time.monotonic())
    summary = drive(scheduler, attempts, backend, [JournalWriter(journal)])
    seconds = time.perf_counter() - started
    if summary.computed != count:
        raise RuntimeError(f"{summary.computed} of {count} tasks were computed: {summary.failures[:1]}")
    return count / seconds


@ray.remote(max_retries=0)
def _nothing() -> None:
    return None


def through_ray(count: int) -> float:
    """Tasks per second of plain Ray with the same number in flight."""
    started = time.perf_counter()
    pending: Sequence[ray.ObjectRef[None]] = []
    submitted = 0
    while submitted < count or pending:
        room = min(IN_FLIGHT - len(pending), count - submitted)
        pending = [*pending, *(_nothing.remote() for _ in range(room))]
        submitted += room
        done, pending = ray.wait(pending, num_returns=1)
        ready, pending = ray.wait(pending, num_returns=len(pending), timeout=0) if pending else ([], [])
        ray.get([*done, *ready])
    return count / (time.perf_counter() - started)


def measure(folder: str, count: int, pairs: int) -> tuple[list[float], list[float]]:
    """Rates through Orchard and through plain Ray, pair by pair."""
    store = open_store(f"{folder}/store")
    orchard, plain, cost_model = [], [], CostModel()
    with Lease.acquire(store.files, "throughput") as lease, store.open_journal("throughput", "driver") as journal:
        backend = RayBackend(store.uri, Provenance(), term=lease.term, execute=_execute_empty)
        try:
            for warm_up in (-1, -2):  # workers start and import; then it is learnt how long a task takes
                cost_model = CostModel()
                through_orchard(backend, journal, cost_model, 512, salt=warm_up)
            through_ray(512)
            for pair in range(pairs):
                orchard.append(through_orchard(backend, journal, cost_model, count, salt=pair))
                plain.append(through_ray(count))
        finally:
            backend.close()
    return orchard, plain


def main() -> None:
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 tasks, one pair.")
    quick = parser.parse_args().quick
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": SLOTS, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        with tempfile.TemporaryDirectory() as folder:
            orchard, plain = measure(folder, count=1000 if quick else 5000, pairs=1 if quick else 5)
    finally:
        cluster.shutdown()
    ratio = statistics.median(first / second for first, second in zip(orchard, plain, strict=True))
    print(
        json.dumps(
            {
                "ratio_to_ray": round(ratio, 3),
                "tasks_per_s": round(statistics.median(orchard)),
                "ray_tasks_per_s": round(statistics.median(plain)),
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
