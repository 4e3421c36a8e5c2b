"""How many empty tasks a second go through Orchard's Ray backend, against plain Ray.

Both run on one Ray in alternation, with the same number of tasks in flight. Orchard's tasks pass the scheduler, check
the lease of their driver, commit an artifact (with fsync) and are written to a journal; plain Ray's do nothing. The Ray
has four slots whatever the machine has, so that on two cores a worker that waits for the disk leaves its core to
another. The cost model learns from the first pass how long the tasks take, as it does in a sweep.
Then the same beside another driver on the store, so that every task is claimed in the table of claims before it is
submitted, in alternation with rounds without one.
Figures: ratio_to_ray (median over pairs), tasks_per_s, ray_tasks_per_s, claims_ratio (with claims to without, median
over pairs), peak_bytes (of the driver).
"""

import argparse
import itertools
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import ray
from ray.cluster_utils import Cluster

from benchmarks.tasks import numbered_tasks
from jobs.outcome import Outcome
from jobs.task import Task
from orchestrator.backends.ray_cluster import RayBackend
from orchestrator.backends.ray_cluster.worker import WorkerConfig, execute
from orchestrator.driver.journal_writer import JournalWriter
from orchestrator.driver.key_claims import KeyClaims
from orchestrator.driver.lease import DriverLease
from orchestrator.driver.run import drive
from orchestrator.scheduling.cost_model import CostModel
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.store import ArtifactStore, Journal, Lease, open_store
from workers.attempt.entry import Provenance
from workers.stages import AnyContext, Product

IN_FLIGHT = 64
SLOTS = 4
_BEAT_S = 0.5


def _empty_stage(context: AnyContext) -> Product:
    return Product(measurements={})


def _execute_empty(task: Task, config: WorkerConfig) -> Outcome:
    return execute(task, config, stage_of=lambda stage: _empty_stage)


def through_orchard(
    backend: RayBackend, journal: Journal, claims: KeyClaims, cost_model: CostModel, count: int, salt: int
) -> float:
    """Tasks per second through scheduler, claims, backend, store and journal."""
    tasks = numbered_tasks(count, salt)
    limits = dict.fromkeys(Lane, float(IN_FLIGHT))
    started = time.perf_counter()
    scheduler = Scheduler(tasks, list(tasks), limits=limits, cost_model=cost_model)
    attempts = scheduler.start(frozenset(), {}, now_s=time.monotonic())
    summary = drive(scheduler, attempts, backend, [JournalWriter(journal)], claims=claims)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Tasks per second, pair by pair.

    Attributes:
        orchard: Through Orchard.
        plain: Through plain Ray, beside it.
        alone: Through Orchard, again.
        claimed: Beside another driver on the store.
    """

    orchard: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    claimed: list[float] = field(default_factory=list)


@contextmanager
def another_driver(store: ArtifactStore) -> Iterator[None]:
    """A driver of another sweep, which computes nothing; the others have seen it."""
    with DriverLease(store, Lease.acquire(store.files, "another"), beat_s=_BEAT_S) as lease:
        lease.claim_keys()
        time.sleep(3 * _BEAT_S)
        yield
    time.sleep(3 * _BEAT_S)


def measure(folder: str, count: int, pairs: int) -> Rates:
    """Rates through Orchard, through plain Ray, and with claims."""
    store = open_store(f"{folder}/store")
    rates, cost_model, salts = Rates(), CostModel(), itertools.count()
    with (
        DriverLease(store, Lease.acquire(store.files, "throughput"), beat_s=_BEAT_S) as lease,
        store.open_journal("throughput", "driver") as journal,
    ):
        lease.claim_keys()
        backend = RayBackend(store.uri, Provenance(), term=lease.term, execute=_execute_empty)

        def orchard(count: int) -> float:
            return through_orchard(backend, journal, lease.keys, cost_model, count, salt=next(salts))

        try:
            orchard(512)  # workers start and import
            cost_model = CostModel()
            orchard(512)  # it is learnt how long a task takes
            through_ray(512)
            for _ in range(pairs):
                rates.orchard.append(orchard(count))
                rates.plain.append(through_ray(count))
            for _ in range(pairs):
                rates.alone.append(orchard(count))
                with another_driver(store):
                    rates.claimed.append(orchard(count))
        finally:
            backend.close()
    return rates


def main() -> None:
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 tasks, one pair.")
    quick = parser.parse_args().quick
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": SLOTS, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        with tempfile.TemporaryDirectory() as folder:
            rates = measure(folder, count=1000 if quick else 5000, pairs=1 if quick else 5)
    finally:
        cluster.shutdown()
    print(
        json.dumps(
            {
                "ratio_to_ray": round(_ratio(rates.orchard, rates.plain), 3),
                "tasks_per_s": round(statistics.median(rates.orchard)),
                "ray_tasks_per_s": round(statistics.median(rates.plain)),
                "claims_ratio": round(_ratio(rates.claimed, rates.alone), 3),
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


def _ratio(first: Sequence[float], second: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(first, second, strict=True))


if __name__ == "__main__":
    main()
