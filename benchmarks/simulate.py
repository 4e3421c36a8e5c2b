"""A sweep of a million tasks over ten thousand GPU slots, on a virtual clock, with failures and preemptions injected.

The real planner, scheduler and main loop drive the simulated backend. The sweep is that of a user who brings
trained networks: every method, many models and seeds, one GPU per tuning and evaluation. Durations differ by stage and
by task, drawn from the task's key; one attempt in a hundred is lost to a preemption or a transient fault on its way.
The bound is max(work / slots, critical path), where work counts all that ran on a GPU, lost attempts included: no
scheduler could end before it. Figures: seconds (planning and simulating), plan_seconds, peak_bytes, tasks,
makespan_ratio, makespan_s, retries, wasted (fraction of the work that was lost).
"""

import argparse
import json
import resource
import time
from collections.abc import Mapping
from hashlib import blake2b

from benchmarks.plan import sweep
from jobs.identity import Json
from jobs.outcome import Cause, Failed, Outcome, Succeeded
from jobs.spec.resources import ResourcesSpec
from jobs.stages.table import StageKind
from jobs.task import Attempt, Task
from orchestrator.backends import SimulatedBackend, Slots
from orchestrator.driver.run import drive
from orchestrator.driver.steering import in_flight_limits
from orchestrator.planning import Plan, PlanEnvironment, plan_sweep
from orchestrator.scheduling.scheduler import Scheduler

_MEAN_S: Mapping[StageKind, float] = {
    StageKind.TRAIN: 10.0,  # loads a checkpoint
    StageKind.ANALYSE: 10.0,
    StageKind.CONVERT: 5.0,
    StageKind.ORDER: 30.0,
    StageKind.PERMUTE: 5.0,
    StageKind.SCORE: 5.0,
    StageKind.TUNE: 360.0,
    StageKind.PRUNE: 2.0,
    StageKind.RECALIBRATE: 10.0,
    StageKind.EVALUATE: 45.0,
}
_FAULTS = 0.01
_GROUPS: list[dict[str, Json]] = [{"name": f"group{index}", "width": 64} for index in range(8)]


def _draws(attempt: Attempt) -> tuple[float, float]:
    """Two numbers in [0, 1) that an attempt always has."""
    digest = blake2b(f"{attempt.task.key}/{attempt.number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4]) / 2**32, int.from_bytes(digest[4:]) / 2**32


class World:
    """The durations and outcomes of attempts.

    Attributes:
        gpu_work_s: GPU-seconds of all attempts so far.
        wasted_s: Those of lost attempts among them.
    """

    def __init__(self) -> None:
        self.gpu_work_s = self.wasted_s = 0.0

    def duration_s(self, attempt: Attempt) -> float:
        """Between a half and one and a half of the stage's mean; part of that where it is lost on its way."""
        length, fate = _draws(attempt)
        seconds = _MEAN_S[attempt.task.stage] * (0.5 + length)
        if fate < _FAULTS:
            seconds *= fate / _FAULTS
            self.wasted_s += seconds * attempt.resources.num_gpus
        self.gpu_work_s += seconds * attempt.resources.num_gpus
        return seconds

    def outcome(self, attempt: Attempt) -> Outcome:
        """The outcome of an attempt."""
        task, (length, fate) = attempt.task, _draws(attempt)
        if fate < _FAULTS:
            cause = Cause.PREEMPTED if length < 0.5 else Cause.TRANSIENT
            return Failed(key=task.key, cause=cause, message="injected", node=f"node{int(1250 * length)}")
        measurements: dict[str, Json] = {"groups": _GROUPS} if task.stage is StageKind.CONVERT else {}
        return Succeeded(key=task.key, measurements=measurements, duration_s=_MEAN_S[task.stage] * (0.5 + length))


def trained_networks(num_models: int) -> Plan:
    """The plan of a sweep over checkpoints: about 3,700 tasks a model."""
    spec = sweep(num_models=num_models, num_seeds=20, num_compressions=25)
    models = {
        name: model.model_copy(update={"train": None, "weights": f"s3://weights/{name}.pt"})
        for name, model in spec.models.items()
    }
    whole = ResourcesSpec(num_gpus=1.0)
    resources = {"tune": whole, "evaluate": whole}
    environment = PlanEnvironment(
        device="cuda",
        torch_version="2",
        ortools_version="9",
        data="data",
        weights={name: f"weights of {name}" for name in models},
        sources={},
    )
    return plan_sweep(spec.model_copy(update={"models": models, "resources": resources}), environment)


def critical_path_s(plan: Plan) -> float:
    """Seconds of the longest chain of tasks, every attempt a success; `order` tasks left out: it is a lower bound."""
    ends: dict[str, float] = {}
    for key, task in plan.tasks.items():
        ends[key] = max((ends[source] for source in task.inputs.values()), default=0.0) + _alone_s(task)
    return max(ends.values())


def _alone_s(task: Task) -> float:
    length, _ = _draws(Attempt(task=task, resources=task.resources))
    return _MEAN_S[task.stage] * (0.5 + length)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="A tenth of the tasks on a tenth of the slots.")
    quick = parser.parse_args().quick
    started = time.perf_counter()
    plan = trained_networks(num_models=27 if quick else 270)
    planned = time.perf_counter()
    world = World()
    slots = Slots(cpus=4_000 if quick else 40_000, gpus=1_000 if quick else 10_000)
    backend = SimulatedBackend(slots, duration_s=world.duration_s, outcome=world.outcome)
    limits = in_flight_limits(slots, backend.node_kinds())
    scheduler = Scheduler(plan.tasks, plan.targets, resources=plan.resources, limits=limits)
    summary = drive(scheduler, scheduler.start(frozenset(), {}), backend, [], clock=lambda: backend.now_s)
    ended = time.perf_counter()
    if not summary.complete:
        raise RuntimeError(f"the sweep did not complete: {summary.failures[:1]} {summary.stopped}")
    bound_s = max(world.gpu_work_s / slots.gpus, critical_path_s(plan))
    print(
        json.dumps(
            {
                "seconds": round(ended - started, 1),
                "plan_seconds": round(planned - started, 1),
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "tasks": summary.computed,
                "makespan_ratio": round(backend.now_s / bound_s, 4),
                "makespan_s": round(backend.now_s),
                "retries": sum(summary.retries.values()),
                "wasted": round(world.wasted_s / world.gpu_work_s, 4),
            }
        )
    )


if __name__ == "__main__":
    main()
