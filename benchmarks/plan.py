"""How long planning a sweep of 100,000 tasks takes, and how much memory.

The lower bound in the same run is hashing the identities of the same tasks, which no planner can avoid.
Figures: seconds (median), peak_bytes (of the whole process), tasks, ratio_to_hashing.
"""

import argparse
import json
import resource
import statistics
import time

from jobs.identity import content_key
from jobs.spec.sweep import SweepSpec
from orchestrator.planning import PlanEnvironment, plan_sweep


def sweep(num_models: int, num_seeds: int, num_compressions: int) -> SweepSpec:
    """A sweep of every method over many models, trained per seed."""
    train = {"epochs": 10}
    document = {
        "name": "planning",
        "data": {"dataset": "digits"},
        "seeds": list(range(num_seeds)),
        "compressions": [step / 100 for step in range(1, num_compressions + 1)],
        "models": {f"net{index}": {"network": "resnet", "train": train} for index in range(num_models)},
        "methods": {
            "dense": {"kind": "dense"},
            "random": {"kind": "criterion", "criterion": "random"},
            "l1": {"kind": "criterion", "criterion": "l1"},
            "integral": {"kind": "integral"},
            "tuned": {"kind": "integral", "tune": {}},
        },
    }
    # Equal models would be one task: each gets arguments of its own.
    for index, model in enumerate(document["models"].values()):  # type: ignore[attr-defined]
        model["arguments"] = {"widths": [8 + index, 16, 32]}
    return SweepSpec.model_validate_json(json.dumps(document))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="A tenth of the tasks, once.")
    quick = parser.parse_args().quick
    spec = sweep(num_models=3 if quick else 22, num_seeds=15 if quick else 20, num_compressions=25)
    environment = PlanEnvironment(
        device="cpu", torch_version="2", ortools_version="9", data="d", weights={}, sources={}
    )
    planning, hashing, tasks = [], [], 0
    for _ in range(1 if quick else 3):
        started = time.perf_counter()
        plan = plan_sweep(spec, environment)
        planning.append(time.perf_counter() - started)
        identities = [task.identity() for task in plan.tasks.values()]
        started = time.perf_counter()
        for identity in identities:
            content_key(identity)
        hashing.append(time.perf_counter() - started)
        tasks = len(plan.tasks)
    ratio = statistics.median(first / second for first, second in zip(planning, hashing, strict=True))
    print(
        json.dumps(
            {
                "seconds": round(statistics.median(planning), 2),
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "tasks": tasks,
                "ratio_to_hashing": round(ratio, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
