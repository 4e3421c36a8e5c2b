"""Finds or creates the MLflow runs of a sweep: a parent run for the sweep and a child run per curve, by tags.

The parent is found by the sweep's name alone, so that an added compression, seed, method or model continues in the same
place. Whether a curve continues in an existing child run is decided by `continues`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jobs.percent import to_percent
from orchestrator.planning import PlannedCurve
from orchestrator.results import Point

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SWEEP_TAG = "orchard.sweep"
"""On the parent run: the sweep's name."""
CURVE_TAG = "orchard.curve"
"""On a child run: `model/dataset/method/protocol/seed`."""
CURRENT_TAG = "orchard.current"
"""On a child run: `yes`, or `no` once a run with other results has replaced it."""
RECORDED_TAG = "orchard.recorded"
"""On a child run: its logged rows, as `row_name` -> prefix of the key of the task that measured it."""
RESOURCES_TAG = "orchard.resources"
"""On a child run: the resource usage of the tasks behind it, by stage, as JSON."""
AREA_TAG = "orchard.area"
"""On a child run: the area under its method's curve, over the range that all methods of its model share."""
ARTIFACTS_TAG = "orchard.artifacts"
"""On the parent run: a digest of its files."""
PARENT_TAG, COMMIT_TAG = "mlflow.parentRunId", "mlflow.source.git.commit"

_VALUE_LENGTH, _KEY_LENGTH = 500, 12


def find_experiment(client: "MlflowClient", name: str, location: str | None) -> str:
    """The id of the experiment of this name; it is created with `location` for its files if needed."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return client.create_experiment(name, artifact_location=location)
    if experiment.lifecycle_stage == "deleted":  # its name is still taken, so restore it
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def runs_by_tag(client: "MlflowClient", experiment_id: str) -> dict[tuple[str, str], list["Run"]]:
    """The runs of an experiment by their sweep or curve tag, earliest first."""
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


def delete_runs(client: "MlflowClient", experiment_id: str) -> None:
    """Delete (in MLflow's sense: move to trash) all runs of a sweep; the user's own runs in the experiment are kept."""
    for runs in runs_by_tag(client, experiment_id).values():
        for run in runs:
            client.delete_run(run.info.run_id)


def find_parent(client: "MlflowClient", experiment_id: str, candidates: Sequence["Run"], name: str) -> "Run":
    """The parent run, created if needed; duplicates left by a crash or a second writer are deleted."""
    if not candidates:
        return client.create_run(experiment_id, run_name=name, tags={SWEEP_TAG: name})
    for copy in candidates[1:]:
        client.delete_run(copy.info.run_id)
    return candidates[0]


def find_child(
    client: "MlflowClient", candidates: Sequence["Run"], plan: PlannedCurve, settings: Mapping[str, str]
) -> "Run | None":
    """The run in which a curve continues; None where there is none.

    Duplicates left by a crash or a second writer are deleted; runs with other results are marked as not current.
    """
    fitting = [run for run in candidates if continues(run, plan, settings)]
    fitting.sort(key=lambda run: run.data.tags.get(CURRENT_TAG) != "yes")
    chosen = fitting[0] if fitting else None
    for run in candidates:
        if run in fitting[1:] and _agree(recorded_rows(run), recorded_rows(fitting[0])):
            client.delete_run(run.info.run_id)
        elif run is not chosen and run.data.tags.get(CURRENT_TAG) != "no":
            client.set_tag(run.info.run_id, CURRENT_TAG, "no")
    return chosen


def find_measured(client: "MlflowClient", sweep: str, plan: PlannedCurve, point: Point) -> "Run | None":
    """The run of a curve to which this very point was logged, the current one first; None where there is none."""
    experiment = client.get_experiment_by_name(sweep)
    if experiment is None or experiment.lifecycle_stage == "deleted":
        return None
    candidates = runs_by_tag(client, experiment.experiment_id).get((CURVE_TAG, curve_name(plan)), [])
    found = [run for run in candidates if recorded_rows(run).get(row_name(point.step)) == short(point.key)]
    return min(found, key=lambda run: run.data.tags.get(CURRENT_TAG) != "yes", default=None)


def make_child(client: "MlflowClient", experiment_id: str, plan: PlannedCurve, tags: Mapping[str, str]) -> "Run":
    """Create a run for a curve."""
    return client.create_run(experiment_id, run_name=plan.label, tags={CURVE_TAG: curve_name(plan), **tags})


def continues(run: "Run", plan: PlannedCurve, settings: Mapping[str, str]) -> bool:
    """Whether a curve continues in a run.

    Where they share a step, it must have been measured by the same task, because a task's key covers everything that
    can change a result. Where they share none, all settings must agree. So a changed setting, code version or data set
    gives a new run, and a moved checkpoint does not.
    """
    recorded = recorded_rows(run)
    planned = {
        row_name(to_percent(point.compression), stage): short(key)
        for point in plan.points
        for stage, key in (("", point.key), *point.further)
    }
    if recorded.keys() & planned.keys():
        return _agree(recorded, planned)
    return all(run.data.params.get(name, value) == value for name, value in settings.items())


def _agree(some: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(some[step] == other[step] for step in some.keys() & other.keys())


def curve_name(plan: PlannedCurve) -> str:
    """The unique name of a curve within its sweep."""
    return "/".join([plan.model, plan.dataset, plan.method, plan.protocol, str(plan.seed)])


def recorded_rows(run: "Run") -> dict[str, str]:
    """The rows logged to a run: `row_name` -> short key of the task that measured it."""
    return dict(json.loads(run.data.tags.get(RECORDED_TAG, "{}")))


def row_name(step: int, stage: str = "") -> str:
    """The name of the metrics that one task measured: its step, with the stage where that is not `evaluate`."""
    return f"{step}/{stage}" if stage else str(step)


def short(key: str) -> str:
    """A prefix of a task's key, long enough to distinguish tasks at the same step."""
    return key[:_KEY_LENGTH]


def settings_of(plan: PlannedCurve) -> dict[str, str]:
    """The settings of a curve as MLflow parameters, without compressions, which may be added later."""
    settings = {name: text[:_VALUE_LENGTH] for name, text in plan.settings.items() if text}
    names = {"model": plan.model, "dataset": plan.dataset, "method": plan.method, "protocol": plan.protocol}
    return {**settings, **names, "seed": str(plan.seed)}
