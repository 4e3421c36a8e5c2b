"""Finds or creates the runs of a sweep by their tags: one for the sweep, one per mean curve, one per seed below it.

The sweep's run is found by the sweep's name alone, so that an added compression, seed, method or model continues in the
same place. Whether a curve continues in an existing run is decided by `continues`.

MLflow lists runs by the time of their start, the latest first. Those of the runs here are so chosen (`Order`) that mean
curves come first, in their order, and the sweep's run last.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.percent import to_percent
from orchestrator.planning import PlannedCurve
from orchestrator.results import Point
from orchestrator.tracking.finding import SWEEP_TAG, is_deleted, known_experiment

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KIND_TAG = "orchard.kind"
"""What a run is: `sweep`, `mean` (a mean curve) or `seed` (the curve of one seed)."""
MEAN_TAG = "orchard.mean"
"""On the run of a mean curve: `model/dataset/method/protocol`."""
CURVE_TAG = "orchard.curve"
"""On the run of a seed: `model/dataset/method/protocol/seed`."""
CURRENT_TAG = "orchard.current"
"""On the run of a seed: `yes`, or `no` once a run with other results has replaced it."""
RECORDED_TAG = "orchard.recorded"
"""On the run of a seed: its logged rows, as `row_name` -> prefix of the key of the task that measured it; on that of a
mean curve: a digest of these. Those of stages other than `evaluate` have tags of their own, `orchard.recorded.STAGE`:
MLflow cuts longer values than 8,000 characters."""
RESOURCES_TAG = "orchard.resources"
"""On the run of a seed: the resource usage of the tasks behind it, by stage, as JSON."""
AREA_TAG = "orchard.area"
"""On the run of a mean curve: the area under it, over the range that all methods of its model share."""
ARTIFACTS_TAG = "orchard.artifacts"
"""On the sweep's run: a digest of its files."""
PARENT_TAG, COMMIT_TAG, COLOR_TAG = "mlflow.parentRunId", "mlflow.source.git.commit", "mlflow.runColor"

_VALUE_LENGTH, _KEY_LENGTH = 500, 12
_SEEDS_MS, _MEANS_MS = 10_000, 10_000
"""How far apart the starts of the sweep's run, of runs of seeds, and of mean curves are: room for so many."""


def runs_by_tag(client: "MlflowClient", experiment_id: str) -> dict[tuple[str, str], list["Run"]]:
    """The runs of an experiment by the tag that names them, earliest first."""
    named: dict[tuple[str, str], list[Run]] = {}
    token, more = None, True
    while more:
        page = client.search_runs([experiment_id], page_token=token)
        for run in page:
            for tag in (SWEEP_TAG, MEAN_TAG, CURVE_TAG):
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


def find_sweep_run(client: "MlflowClient", experiment_id: str, candidates: Sequence["Run"], name: str) -> "Run":
    """The sweep's run, created if needed; duplicates left by a crash or a second writer are deleted."""
    if not candidates:
        start = round(time.time() * 1000) - _SEEDS_MS - _MEANS_MS
        return client.create_run(experiment_id, start, {SWEEP_TAG: name, KIND_TAG: "sweep"}, name)
    for copy in candidates[1:]:
        client.delete_run(copy.info.run_id)
    return candidates[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The times at which runs start, by which MLflow lists them.

    Attributes:
        seeds_ms: The first seed's.
        means_ms: The first mean curve's.
    """

    seeds_ms: int
    means_ms: int

    @classmethod
    def of(cls, sweep: "Run", seeds: Iterable["Run"]) -> "Order":
        """The order of a sweep; version 0.1 gave runs of seeds the time at which they were logged."""
        first = int(sweep.info.start_time) + _SEEDS_MS
        last = max((int(run.info.start_time) for run in seeds), default=first)
        return cls(seeds_ms=first, means_ms=max(first, last) + _MEANS_MS)


def find_seed_run(
    client: "MlflowClient", candidates: Sequence["Run"], plan: PlannedCurve, settings: Mapping[str, str]
) -> tuple["Run | None", list["Run"]]:
    """The run in which the curve of a seed continues, None where there is none, and its earlier runs.

    Duplicates left by a crash or a second writer are deleted; runs with other results are marked as not current.
    """
    fitting = [run for run in candidates if continues(run, plan, settings)]
    fitting.sort(key=lambda run: (run.data.tags.get(CURRENT_TAG) != "yes", -len(recorded_rows(run))))
    chosen, earlier = fitting[0] if fitting else None, []
    for run in candidates:
        if run is chosen:
            continue
        if run in fitting[1:] and _agree(recorded_rows(run), recorded_rows(fitting[0])):
            client.delete_run(run.info.run_id)
            continue
        if run.data.tags.get(CURRENT_TAG) != "no":
            client.set_tag(run.info.run_id, CURRENT_TAG, "no")
        earlier.append(run)
    return chosen, earlier


def find_measured(
    client: "MlflowClient", sweep: str, store_id: str | None, plan: PlannedCurve, point: Point
) -> "Run | None":
    """The run of a curve to which this very point was logged, the current one first; None where there is none."""
    experiment = known_experiment(client, sweep, store_id)
    if experiment is None or is_deleted(experiment):
        return None
    candidates = runs_by_tag(client, experiment.experiment_id).get((CURVE_TAG, curve_name(plan)), [])
    found = [run for run in candidates if recorded_rows(run).get(row_name(point.step)) == short(point.key)]
    return min(found, key=lambda run: run.data.tags.get(CURRENT_TAG) != "yes", default=None)


def mean_name(plan: PlannedCurve) -> str:
    """The unique name of a mean curve within its sweep."""
    return "/".join([plan.model, plan.dataset, plan.method, plan.protocol])


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
    return f"{mean_name(plan)}/{plan.seed}"


def recorded_rows(run: "Run") -> dict[str, str]:
    """The rows logged to a run: `row_name` -> short key of the task that measured it; a tag that was cut has none."""
    rows: dict[str, str] = {}
    for tag, text in run.data.tags.items():
        if tag == RECORDED_TAG or tag.startswith(f"{RECORDED_TAG}."):
            with suppress(ValueError):
                rows |= json.loads(text)
    return rows


def recorded_tags(rows: Mapping[str, str]) -> dict[str, str]:
    """The tags that say which rows are logged to a run."""
    by_stage: dict[str, dict[str, str]] = {}
    for name, key in rows.items():
        by_stage.setdefault(name.partition("/")[2], {})[name] = key
    return {f"{RECORDED_TAG}.{stage}".rstrip("."): json.dumps(recorded) for stage, recorded in by_stage.items()}


def row_name(step: int, stage: str = "") -> str:
    """The name of the metrics that one task measured: its step, with the stage where that is not `evaluate`."""
    return f"{step}/{stage}" if stage else str(step)


def short(key: str) -> str:
    """A prefix of a task's key, long enough to distinguish tasks at the same step."""
    return key[:_KEY_LENGTH]


def words_of(plan: PlannedCurve) -> dict[str, str]:
    """What a curve is, as tags: to search, group and colour runs by."""
    words = {"model": plan.model, "dataset": plan.dataset, "method": plan.method, "protocol": plan.protocol}
    labels = {f"label.{name}": label[:_VALUE_LENGTH] for name, label in plan.labels.items()}
    return {f"orchard.{name}": word for name, word in {**words, **labels}.items()}


def settings_of(plan: PlannedCurve) -> dict[str, str]:
    """The settings of a curve as MLflow parameters, without compressions, which may be added later."""
    settings = {name: text[:_VALUE_LENGTH] for name, text in plan.settings.items() if text}
    names = {"model": plan.model, "dataset": plan.dataset, "method": plan.method, "protocol": plan.protocol}
    return {**settings, **names, "seed": str(plan.seed)}
