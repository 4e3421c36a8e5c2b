"""Curves made up for tests, and what MLflow has of them."""

from dataclasses import replace

from mlflow import MlflowClient
from mlflow.entities import ViewType
from planned import planned_curve

from orchestrator.planning import PlannedPoint
from orchestrator.results import METRICS, Curve, Point, SweepRecord
from orchestrator.tracking import log_sweep

CREATED_S = 1_700_000_000.25


def make_curve(method="l1", *, seed=0, compressions=(0.2, 0.4), measured=None, computation="a") -> Curve:
    """A curve; `computation` stands for all that a task's key covers besides the compression."""
    keys = {asked: f"{computation}{method}{seed}{round(asked * 100):02d}".ljust(32, "0") for asked in compressions}
    planned = tuple(PlannedPoint(compression=asked, key=keys[asked]) for asked in compressions)
    plan = planned_curve(method, planned, seed=seed)
    points = tuple(
        Point(asked=asked, key=keys[asked], metrics=dict.fromkeys(METRICS, 1 - asked), created_s=CREATED_S + asked)
        for asked in (compressions if measured is None else measured)
    )
    return Curve(plan=plan, points=points)


def make_record(*curves: Curve, epochs=1, commit="c0ffee") -> SweepRecord:
    return SweepRecord(
        name="quick",
        spec={"name": "quick"},
        curves=tuple(with_settings(curve, epochs).plan for curve in curves),
        git_commit=commit,
        versions={"torch": "2.15.0"},
    )


def with_settings(curve: Curve, epochs: int) -> Curve:
    """The curve as its tasks would say that they were told."""
    settings = {"train.model.network": "resnet", "train.model.recipe.epochs": str(epochs), "score.criterion": "l1"}
    return replace(curve, plan=replace(curve.plan, settings=settings))


def log(uri: str, *curves: Curve, epochs=1, commit="c0ffee", **options):
    told = [with_settings(curve, epochs) for curve in curves]
    return log_sweep(make_record(*curves, epochs=epochs, commit=commit), told, tracking_uri=uri, **options)


def runs_of(uri: str, tag="orchard.curve", view=ViewType.ACTIVE_ONLY):
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("quick")
    runs = client.search_runs([experiment.experiment_id], run_view_type=view, order_by=["attributes.start_time DESC"])
    return [run for run in runs if tag in run.data.tags]


def with_accuracies(curve: Curve, values) -> Curve:
    """The curve, with these accuracies measured."""
    points = zip(curve.points, values, strict=True)
    return replace(
        curve, points=tuple(replace(each, metrics={**each.metrics, "accuracy": value}) for each, value in points)
    )
