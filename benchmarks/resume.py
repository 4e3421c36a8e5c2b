"""How long a finished sweep takes to be found finished, and to be brought to an empty MLflow.

`replan_s` is what `orchard run` does before it says that there is nothing to compute: plan the sweep, ask the store
what it has, read the journal, build the scheduler. The store is a local folder with an artifact for each of 10,000
tasks. The lower bound in the same run is reading the manifests that it has to read, by plain `json`.
`sync_s` is `orchard sync` of 1,000 curves (10 models, 10 methods, 10 seeds) of 10 points to an SQLite database that
does not exist yet: its tables, the import of mlflow and the report included. Its peer is MLflow alone: `create_run`,
`log_batch` with the same rows and `set_terminated` for each curve, to a database of its own that it makes too, mlflow
imported already.
Figures: replan_s, ratio_to_json, tasks, sync_s, ratio_to_mlflow, points, peak_bytes.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.plan import sweep
from jobs.artifact import Manifest
from jobs.identity import Json
from jobs.outcome import Succeeded
from jobs.spec.sweep import SweepSpec
from jobs.stages.table import StageKind
from jobs.task import Attempt
from orchestrator.backends import SimulatedBackend, Slots
from orchestrator.commands.reporting import sync
from orchestrator.driver.journal_writer import JournalWriter
from orchestrator.driver.resume import resume_point
from orchestrator.driver.run import drive
from orchestrator.planning import Plan, PlanEnvironment, PlannedCurve, PlannedPoint, plan_sweep
from orchestrator.results import METRICS, Curve, SweepRecord, collect
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.status import read_history
from orchestrator.store import ArtifactStore, open_store
from orchestrator.store.artifacts import manifest_path

_ENVIRONMENT = PlanEnvironment(device="cpu", torch_version="2", ortools_version="9", data="d", weights={}, sources={})
_GROUPS: list[dict[str, Json]] = [{"name": f"group{index}", "width": 64} for index in range(8)]
_POINTS = 10


def run_all(store: ArtifactStore, spec: SweepSpec, plan: Plan) -> int:
    """Give every task of a plan an artifact and its entry in the journal; returns how many there are."""

    def outcome(attempt: Attempt) -> Succeeded:
        task = attempt.task
        measurements: dict[str, Json] = {"groups": _GROUPS} if task.stage is StageKind.CONVERT else {}
        manifest = Manifest(
            key=task.key,
            stage=task.stage.value,
            identity=task.identity(),
            inputs=task.inputs,
            measurements=measurements,
        )
        store.commit(manifest, {})
        return Succeeded(key=task.key, measurements=measurements, duration_s=1.0, host="here")

    scheduler = Scheduler(plan.tasks, plan.targets, resources=plan.resources, limits=dict.fromkeys(Lane, 64))
    backend = SimulatedBackend(Slots(cpus=64, gpus=0), duration_s=lambda attempt: 1.0, outcome=outcome)
    with store.open_journal(spec.name, "driver") as journal:
        attempts = scheduler.start(frozenset(), {})
        summary = drive(scheduler, attempts, backend, [JournalWriter(journal)], clock=lambda: backend.now_s)
    return summary.computed


def replan(spec: SweepSpec, uri: str) -> float:
    """Seconds until a new driver knows that there is nothing to compute."""
    started = time.perf_counter()
    store = open_store(uri)
    plan = plan_sweep(spec, _ENVIRONMENT)
    cost_model = read_history(store.files, spec.name).cost_model
    scheduler = Scheduler(
        plan.tasks,
        plan.targets,
        resources=plan.resources,
        limits=dict.fromkeys(Lane, 64),
        cost_model=cost_model,
    )
    attempts = scheduler.start(*resume_point(plan, store))
    seconds = time.perf_counter() - started
    if attempts or not scheduler.complete:
        raise RuntimeError(f"{len(attempts)} tasks were submitted of a sweep that is finished")
    return seconds


def read_by_json(uri: str, plan: Plan) -> float:
    """Seconds that reading the manifests of the results and of the `convert` tasks takes by plain json."""
    needed = [*plan.targets, *(key for key, task in plan.tasks.items() if task.stage is StageKind.CONVERT)]
    started = time.perf_counter()
    for key in dict.fromkeys(needed):
        json.loads(Path(uri, manifest_path(key)).read_bytes())
    return time.perf_counter() - started


def measured_sweep(store: ArtifactStore, num_curves: int, tracking_uri: str) -> SweepRecord:
    """A sweep in the store, all points of which are measured."""
    curves = []
    for number in range(num_curves):
        keys = [f"{number:016x}{step:016x}" for step in range(_POINTS)]
        for step, key in enumerate(keys):
            measurements = dict.fromkeys(METRICS, number / num_curves + step)
            manifest = Manifest(
                key=key, stage="evaluate", identity={}, measurements=measurements, created_s=1.8e9 + step
            )
            store.commit(manifest, {})
        points = tuple(PlannedPoint(compression=(step + 1) / 100, key=key) for step, key in enumerate(keys))
        curves.append(
            PlannedCurve(
                model=f"net{number % 10}",
                dataset="digits",
                method=f"method{number // 10 % 10}",
                protocol="none",
                seed=number // 100,
                points=points,
            )
        )
    model_spec = {"network": "resnet", "arguments": {"widths": [8, 16, 32]}, "train": {"epochs": 10, "batch_size": 128}}
    spec = {
        "name": "measured",
        "tracking": tracking_uri,
        "models": {curve.model: model_spec for curve in curves},
        "methods": {curve.method: {"kind": "criterion", "criterion": "l1"} for curve in curves},
    }
    record = SweepRecord(name="measured", spec=spec, curves=tuple(curves), git_commit="c0ffee", versions={"torch": "2"})
    store.write_sweep(record.name, record.to_json())
    return record


def log_by_mlflow(curves: Sequence[Curve], database: Path) -> float:
    """Seconds that MLflow alone takes for the rows of these curves, three calls each."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    started = time.perf_counter()
    client = MlflowClient(f"sqlite:///{database}")
    experiment = client.create_experiment("alone")
    for curve in curves:
        run = client.create_run(experiment, run_name=curve.plan.label)
        rows = [
            Metric(name, value, round(1000 * point.created_s), point.step)
            for point in curve.points
            for name, value in point.metrics.items()
        ]
        client.log_batch(run.info.run_id, metrics=rows)
        client.set_terminated(run.info.run_id)
    return time.perf_counter() - started


def main() -> None:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="A tenth of the tasks and of the points.")
    quick = parser.parse_args().quick
    spec = sweep(num_models=3, num_seeds=2 if quick else 15, num_compressions=20 if quick else 25)
    num_curves = 100 if quick else 1000
    with tempfile.TemporaryDirectory() as folder:
        uri, database = f"{folder}/store", Path(folder, "mlflow.db")
        plan = plan_sweep(spec, _ENVIRONMENT)
        tasks = run_all(open_store(uri), spec, plan)
        replan_s, json_s = replan(spec, uri), read_by_json(uri, plan)
        store = open_store(uri)
        record = measured_sweep(store, num_curves, f"sqlite:///{database}")
        started = time.perf_counter()
        sync(record.name, storage=uri, tracking=None, rebuild=False)
        sync_s = time.perf_counter() - started
        mlflow_s = log_by_mlflow(collect(record, store), Path(folder, "alone.db"))
    print(
        json.dumps(
            {
                "replan_s": round(replan_s, 2),
                "ratio_to_json": round(replan_s / json_s, 2),
                "tasks": tasks,
                "sync_s": round(sync_s, 1),
                "ratio_to_mlflow": round(sync_s / mlflow_s, 2),
                "points": num_curves * _POINTS,
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
