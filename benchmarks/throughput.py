"""How many empty tasks a second go through Orchard's Ray backend, against plain Ray.

Both run on one Ray in alternation, with the same number of tasks in flight. Orchard's tasks pass the state machine,
commit an artifact to a store (with fsync) and are noted in a journal; plain Ray's do nothing. The Ray has four slots
whatever the machine has, so that on two cores a worker that waits for the disk leaves its core to another.
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
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from jobs.outcome import Outcome
from jobs.task import Resources, StageKind, Task, make_task
from orchestrator.backends.ray_cluster import RayBackend, cached_store
from orchestrator.machine import Lane, Machine
from orchestrator.run import JournalKeeper, drive
from orchestrator.store import Journal
from workers.entry import Provenance, run_task
from workers.stages import Context, Product

IN_FLIGHT = 64
SLOTS = 4


def _empty_stage(context: Context) -> Product:
    return Product(measurements={})


def _execute_empty(task: Task, storage: str, provenance: Provenance) -> Outcome:
    return run_task(task, cached_store(storage), provenance=provenance, stage_of=lambda stage: _empty_stage)


def _tasks(count: int, salt: int) -> dict[str, Task]:
    environment = {"torch": "any", "dtype": "float32", "device": "cpu"}
    tasks = [
        make_task(StageKind.SCORE, params={"n": number, "salt": salt}, inputs={}, environment=environment)
        for number in range(count)
    ]
    return {task.key: task for task in tasks}


def through_orchard(backend: RayBackend, journal: Journal, count: int, salt: int) -> float:
    """Tasks per second through machine, backend, store and journal."""
    tasks = _tasks(count, salt)
    limits = dict.fromkeys(Lane, IN_FLIGHT)
    started = time.perf_counter()
    machine = Machine(tasks, list(tasks), order_resources=Resources(), limits=limits)
    summary = drive(machine, machine.start(frozenset(), {}), backend, [JournalKeeper(journal)])
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


def main() -> None:
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 tasks, one pair.")
    quick = parser.parse_args().quick
    count, pairs = (1000, 1) if quick else (5000, 5)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": SLOTS, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.jsonl") as journal:
        backend = RayBackend(f"{folder}/store", Provenance(), execute=_execute_empty)
        try:
            through_orchard(backend, journal, 512, salt=-1)  # workers start and import
            through_ray(512)
            orchard, plain = [], []
            for pair in range(pairs):
                orchard.append(through_orchard(backend, journal, count, salt=pair))
                plain.append(through_ray(count))
        finally:
            backend.close()
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
