"""Which run of MLflow stands for which part of a sweep: found by tags, made where there is none.

The parent is found by the sweep's name alone, so that a compression, a seed, a method or a model added to a sweep
goes on in the same place. Whether a child run goes on is decided by what it has: see `continues`. This module refuses
to know what was measured.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jobs.identity import Json
from orchestrator.results import PlannedCurve, SweepRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SWEEP_TAG = "orchard.sweep"
"""On the parent run: the sweep's name."""
CURVE_TAG = "orchard.curve"
"""On a child run: `model/dataset/method/protocol/seed`."""
CURRENT_TAG = "orchard.current"
"""On a child run: `yes`, or `no` once a run with other results stands for the curve."""
RECORDED_TAG = "orchard.recorded"
"""On a child run: the rows that it has, as step -> beginning of the key of the task that measured it."""
ARTIFACTS_TAG = "orchard.artifacts"
"""On the parent run: a digest of the files that it has."""
PARENT_TAG, COMMIT_TAG = "mlflow.parentRunId", "mlflow.source.git.commit"

_VALUE_LENGTH, _KEY_LENGTH = 500, 12


def find_experiment(client: "MlflowClient", name: str, location: str | None) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return client.create_experiment(name, artifact_location=location)
    if experiment.lifecycle_stage == "deleted":  # its name stays taken, so it is taken out of the bin
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def runs_by_tag(client: "MlflowClient", experiment_id: str) -> dict[tuple[str, str], list["Run"]]:
    """The runs of an experiment by the tag that says what they are of, the earliest first."""
    named: dict[tuple[str, str], list[Run]] = {}
    token, more = None, True
    while more:
        page = client.search_runs([experiment_id], page_token=token)
        for run in page:
            for tag in (SWEEP_TAG, CURVE_TAG):
                if tag in run.data.tags:
                    named.setdefault((tag, run.data.tags[tag]), []).append(run)
        token, more = page.token, bool(page.token)
    for runs in named.values():
        runs.sort(key=lambda run: (run.info.start_time, run.info.run_id))
    return named


def find_parent(client: "MlflowClient", experiment_id: str, candidates: Sequence["Run"], name: str) -> "Run":
    if not candidates:
        return client.create_run(experiment_id, run_name=name, tags={SWEEP_TAG: name})
    _delete(client, candidates[1:])
    return candidates[0]


def find_child(
    client: "MlflowClient", parent: "Run", candidates: Sequence["Run"], plan: PlannedCurve, params: Mapping[str, str]
) -> "Run":
    """The run of a curve: the earliest that the curve continues, else a new one. Later copies of it are deleted."""
    fitting = [run for run in candidates if continues(run, plan, params)]
    for run in candidates:
        if run not in fitting:
            _log(client, run, tags={CURRENT_TAG: "no"})
    if fitting:
        _delete(client, fitting[1:])
        return fitting[0]
    tags = {CURVE_TAG: curve_name(plan), CURRENT_TAG: "yes", PARENT_TAG: parent.info.run_id}
    return client.create_run(parent.info.experiment_id, run_name=plan.label, tags=tags)


def continues(run: "Run", plan: PlannedCurve, params: Mapping[str, str]) -> bool:
    """Whether a curve goes on in a run.

    Where they share a step, it must have been measured by the same task: the task's key covers all that can change
    a result. Where they share none, no setting may differ. So a changed setting, code version or data set gives a
    new run, and a moved checkpoint does not.
    """
    recorded = recorded_rows(run)
    planned = {str(round(point.compression * 100)): point.key[:_KEY_LENGTH] for point in plan.points}
    shared = recorded.keys() & planned.keys()
    if shared:
        return all(recorded[step] == planned[step] for step in shared)
    return all(run.data.params.get(name, value) == value for name, value in params.items())


def _delete(client: "MlflowClient", runs: Sequence["Run"]) -> None:
    """Put away what two writers at once, or a crash between them, made twice. MLflow can restore it."""
    for run in runs:
        client.delete_run(run.info.run_id)


def curve_name(plan: PlannedCurve) -> str:
    return "/".join([plan.model, plan.dataset, plan.method, plan.protocol, str(plan.seed)])


def recorded_rows(run: "Run") -> dict[str, str]:
    return dict(json.loads(run.data.tags.get(RECORDED_TAG, "{}")))


def settings_of(record: SweepRecord, plan: PlannedCurve) -> dict[str, str]:
    """What made the curve what it is, flat; not its compressions, which may be added to."""
    model = record.spec.get("models", {}).get(plan.model, {})
    method = record.spec.get("methods", {}).get(plan.method, {})
    settings = {**_flat("model", model), **_flat("method", method)}
    names = {"model": plan.model, "dataset": plan.dataset, "method": plan.method, "protocol": plan.protocol}
    return {**settings, **names, "seed": str(plan.seed)}


def _flat(prefix: str, value: Json) -> dict[str, str]:
    if isinstance(value, Mapping):
        parts = [_flat(f"{prefix}.{name}", part) for name, part in value.items() if name != "compressions"]
        return {name: text for part in parts for name, text in part.items()}
    text = value if isinstance(value, str) else json.dumps(value)
    return {} if value is None or text == "" else {prefix: text[:_VALUE_LENGTH]}


