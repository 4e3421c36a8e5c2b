import mlflow
import pytest
from plain_tasks import plain_task

from jobs.artifact import Manifest
from jobs.outcome import Succeeded
from jobs.stages.table import StageKind
from orchestrator.driver import publishing
from orchestrator.driver.publishing import Publisher
from orchestrator.planning import PlannedCurve, PlannedPoint
from orchestrator.results import METRICS, SweepRecord
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.store import ArtifactStore, open_store

pytestmark = pytest.mark.slow


@pytest.fixture
def evaluate():
    return plain_task(StageKind.EVALUATE)


@pytest.fixture
def store(tmp_path, evaluate) -> ArtifactStore:
    store = open_store(tmp_path / "store")
    measured = dict.fromkeys(METRICS, 0.5)
    store.commit(Manifest(key=evaluate.key, stage="evaluate", identity={}, measurements=measured, created_s=1.0), {})
    return store


@pytest.fixture
def record(evaluate) -> SweepRecord:
    point = PlannedPoint(compression=0.2, key=evaluate.key)
    curve = PlannedCurve(model="net", dataset="digits", method="l1", protocol="none", seed=0, points=(point,))
    return SweepRecord(name="published", spec={"name": "published"}, curves=(curve,))


def accuracies(tracking_uri: str) -> list[float]:
    client = mlflow.MlflowClient(tracking_uri)
    experiment = client.get_experiment_by_name("published")
    if experiment is None:
        return []
    runs = client.search_runs([experiment.experiment_id])
    return [run.data.metrics["accuracy"] for run in runs if "accuracy" in run.data.metrics]


def test_at_the_end_everything_is_in_mlflow_with_the_figure(store, record, database):
    curves, tracked = Publisher(record, store, database).finish()
    assert [point.asked for curve in curves for point in curve.points] == [0.2]
    assert accuracies(database) == [0.5, 0.5]  # the mean curve, and the seed
    artifacts = mlflow.MlflowClient(database).list_artifacts(tracked.sweep_run_id)
    assert {"curves.png", "points.csv", "report.html"} <= {artifact.path for artifact in artifacts}


def test_a_sweep_of_its_name_in_another_store_is_left_alone(store, record, database, tmp_path):
    _, first = Publisher(record, store, database).finish()
    _, second = Publisher(record, open_store(tmp_path / "another"), database).finish()
    assert first.experiment_id != second.experiment_id
    assert accuracies(database) == [0.5, 0.5]


def test_points_are_logged_while_the_sweep_runs(store, record, evaluate, database, monkeypatch):
    monkeypatch.setattr(publishing, "_INTERVAL_S", 0.0)
    limits = dict.fromkeys(Lane, 1)
    scheduler = Scheduler({evaluate.key: evaluate}, [evaluate.key], limits=limits)
    scheduler.start(frozenset(), {})
    publisher = Publisher(record, store, database)
    publisher.update(scheduler, [Succeeded(key=evaluate.key, measurements={}, duration_s=1.0)])
    publisher.wait()
    assert accuracies(database) == [0.5, 0.5]  # the mean curve, and the seed


def test_without_mlflow_the_curves_are_there_all_the_same(store, record):
    curves, tracked = Publisher(record, store, "http://127.0.0.1:9").finish()
    assert len(curves) == 1
    assert tracked is None
