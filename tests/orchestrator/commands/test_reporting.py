"""`sync` as a driver of the sweep: alone or not at all."""

import pytest
from mlflow import MlflowClient

from jobs.artifact import Manifest
from orchestrator.commands.reporting import sync
from orchestrator.driver.lease import DriverLease
from orchestrator.planning import PlannedCurve, PlannedPoint
from orchestrator.results import METRICS, SweepRecord
from orchestrator.store import ArtifactStore, Lease, LeaseHeldError, open_store


@pytest.fixture
def store(tmp_path, database) -> ArtifactStore:
    """A store with a sweep of one curve, of two measured points."""
    store = open_store(tmp_path / "store")
    points = (PlannedPoint(compression=0.2, key="ab" * 16), PlannedPoint(compression=0.4, key="cd" * 16))
    for point in points:
        measured = {**dict.fromkeys(METRICS, 0.5), "accuracy": 1 - point.compression}
        store.commit(Manifest(key=point.key, stage="evaluate", identity={}, measurements=measured, created_s=1.0), {})
    curve = PlannedCurve(model="net", dataset="digits", method="l1", protocol="none", seed=0, points=points)
    spec = {"name": "s", "tracking": database}
    store.write_sweep("s", SweepRecord(name="s", spec=spec, curves=(curve,)).to_json())
    return store


def test_sync_leaves_a_sweep_that_is_running_to_its_driver(store):
    with (
        DriverLease(store, Lease.acquire(store.files, "s"), beat_s=0.05),
        pytest.raises(LeaseHeldError, match="is being run by process"),
    ):
        sync("s", storage=store.uri, tracking=None, rebuild=False)


@pytest.mark.slow
def test_sync_lets_go_of_the_sweep_and_rebuilds_as_often_as_asked(store, database, capsys):
    for rebuild in (False, True, True):
        sync("s", storage=store.uri, tracking=None, rebuild=rebuild)
    assert capsys.readouterr().out.count("2 points of 1 curves are in MLflow") == 3
    client = MlflowClient(database)
    runs = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    assert sorted(run.data.metrics.get("accuracy", 0.0) for run in runs) == [0.0, 0.6, 0.6]  # sweep, mean, seed
    assert [run.data.tags["orchard.area"] for run in runs if "orchard.mean" in run.data.tags] == ["0.7"]


def test_sync_writes_where_it_is_told_and_nowhere_else(store, database, empty_database, tmp_path):
    other = tmp_path / "other.db"
    other.write_bytes(empty_database)
    sync("s", storage=store.uri, tracking=f"sqlite:///{other}", rebuild=False)
    experiment = MlflowClient(f"sqlite:///{other}").get_experiment_by_name("s")
    assert experiment.tags["orchard.storage"] == store.identity()
    assert MlflowClient(database).get_experiment_by_name("s") is None
