"""Logging against real SQLite databases and a real MLflow server."""

import json
import sqlite3
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from servers import free_port, mlflow_server, mortal_mlflow_server
from tracked_curves import log, make_curve, runs_of

from orchestrator.results import METRICS, Curve, Further, Point
from orchestrator.tracking import TrackingUnavailableError
from orchestrator.tracking.runs import recorded_rows, settings_of


def history(uri: str, run_id: str, key="accuracy") -> dict[int, float]:
    rows = MlflowClient(uri).get_metric_history(run_id, key)
    assert len({row.step for row in rows}) == len(rows)  # one row for each step
    return {row.step: row.value for row in rows}


def everything(path: Path) -> list[str]:
    """All rows of a database, as text."""
    connection = sqlite3.connect(path)
    lines = sorted(connection.iterdump())
    connection.close()
    return lines


def test_the_curve_of_a_seed_becomes_a_run_with_rows_at_whole_percents(uri):
    log(uri, make_curve(compressions=(0.2, 0.29, 0.4)))
    (run,), (mean,) = runs_of(uri), runs_of(uri, "orchard.mean")
    assert run.info.run_name == "net/l1/seed0"
    assert run.data.tags["mlflow.parentRunId"] == mean.info.run_id
    assert set(run.data.metrics) == set(METRICS)
    assert history(uri, run.info.run_id) == pytest.approx({20: 0.8, 29: 0.71, 40: 0.6})  # 0.29 * 100 is 28.999...
    first = MlflowClient(uri).get_metric_history(run.info.run_id, "loss")[0]
    assert first.timestamp == 1_700_000_000_450  # created_s is 0.2 s after .25


def with_times(curve: Curve, key: str = "t" * 32, latency: float = 0.5) -> Curve:
    """The curve, the networks of whose points were timed, too."""
    planned = tuple(replace(point, further=(("time", key),)) for point in curve.plan.points)
    timed = Further(stage="time", key=key, metrics={"latency_p50_s/eager/b1": latency}, created_s=1_700_000_009.0)
    points = tuple(replace(point, further=(timed,)) for point in curve.points)
    return Curve(plan=replace(curve.plan, points=planned), points=points)


def test_times_come_into_the_same_run_when_they_are_measured(uri):
    timed = with_times(make_curve())
    log(uri, Curve(plan=timed.plan, points=make_curve().points))
    (run,) = runs_of(uri)
    assert (run.info.status, "latency_p50_s/eager/b1" in run.data.metrics) == ("RUNNING", False)
    log(uri, timed)
    (run,) = runs_of(uri)
    assert run.info.status == "FINISHED"
    assert history(uri, run.info.run_id, "latency_p50_s/eager/b1") == {20: 0.5, 40: 0.5}
    assert history(uri, run.info.run_id) == pytest.approx({20: 0.8, 40: 0.6})
    (row, _) = MlflowClient(uri).get_metric_history(run.info.run_id, "latency_p50_s/eager/b1")
    assert row.timestamp == 1_700_000_009_000


def test_times_of_other_passes_are_another_run(uri):
    log(uri, with_times(make_curve()))
    log(uri, with_times(make_curve(), key="u" * 32, latency=0.7))
    runs = {run.data.tags["orchard.current"]: run for run in runs_of(uri)}
    assert {current: run.data.metrics["latency_p50_s/eager/b1"] for current, run in runs.items()} == {
        "no": 0.5,
        "yes": 0.7,
    }


def test_settings_are_params_and_provenance_is_tags(uri):
    log(uri, make_curve())
    (run,) = runs_of(uri)
    assert run.data.params == {
        "model": "net",
        "dataset": "digits",
        "method": "l1",
        "protocol": "none",
        "seed": "0",
        "train.model.network": "resnet",
        "train.model.recipe.epochs": "1",
        "score.criterion": "l1",
    }  # what its tasks were told, whatever the sweep file says
    assert run.data.tags["mlflow.source.git.commit"] == "c0ffee"
    assert run.data.tags["orchard.version.torch"] == "2.15.0"


def test_logging_twice_changes_nothing(uri, tmp_path):
    curves = (make_curve(), make_curve(seed=1), make_curve("integral"))
    first = log(uri, *curves, artifacts={"curves.png": b"png"}, ended=True)
    before = everything(tmp_path / "mlflow.db")
    assert log(uri, *curves, artifacts={"curves.png": b"png"}, ended=True) == first
    assert everything(tmp_path / "mlflow.db") == before


def test_the_area_under_a_mean_curve_is_a_tag_that_a_later_call_changes(uri):
    one, other = make_curve(), make_curve("l2")
    log(uri, one, other, areas={one.plan: 0.83126})
    assert [run.data.tags.get("orchard.area") for run in runs_of(uri, "orchard.mean")] == ["0.83126", None]
    log(uri, one, other, areas={one.plan: 0.5, other.plan: 0.25})
    assert [run.data.tags["orchard.area"] for run in runs_of(uri, "orchard.mean")] == ["0.5", "0.25"]


def test_all_curves_have_the_same_metric_keys(uri):
    log(uri, make_curve("dense", compressions=(0.0,)), make_curve("l1"))
    assert {frozenset(run.data.metrics) for run in runs_of(uri)} == {frozenset(METRICS)}
    assert len(METRICS) <= 20


def test_a_compression_more_goes_on_in_the_same_runs(uri):
    first = log(uri, make_curve(), ended=True)
    second = log(uri, make_curve(compressions=(0.2, 0.4, 0.6)), make_curve(seed=1), ended=True)
    assert second == first
    earlier, later = runs_of(uri)
    assert history(uri, earlier.info.run_id) == pytest.approx({20: 0.8, 40: 0.6, 60: 0.4})
    assert (earlier.data.params["seed"], later.data.params["seed"]) == ("0", "1")


def test_a_changed_setting_gives_a_new_run_and_marks_the_old_one(uri):
    log(uri, make_curve(computation="a"), epochs=1)
    log(uri, make_curve(computation="b"), epochs=2)
    new, old = runs_of(uri)  # both below the mean curve, the new one first
    assert old.data.tags["mlflow.parentRunId"] == new.data.tags["mlflow.parentRunId"]
    assert (old.data.params["train.model.recipe.epochs"], old.data.tags["orchard.current"]) == ("1", "no")
    assert (new.data.params["train.model.recipe.epochs"], new.data.tags["orchard.current"]) == ("2", "yes")
    assert len(history(uri, old.info.run_id)) == 2


def test_going_back_to_the_old_setting_goes_back_to_the_old_run(uri):
    log(uri, make_curve(computation="a"), epochs=1)
    log(uri, make_curve(computation="b"), epochs=2)
    log(uri, make_curve(computation="a"), epochs=1)
    assert [run.data.tags["orchard.current"] for run in runs_of(uri)] == ["no", "yes"]


def test_a_changed_setting_with_other_compressions_gives_a_new_run(uri):
    log(uri, make_curve(compressions=(0.2,)), epochs=1)
    log(uri, make_curve(compressions=(0.4,)), epochs=2)
    assert [run.data.params["train.model.recipe.epochs"] for run in runs_of(uri)] == ["2", "1"]


def test_a_setting_that_changed_no_task_goes_on_and_stays_as_it_was(uri):
    log(uri, make_curve(), epochs=1)
    log(uri, make_curve(compressions=(0.2, 0.4, 0.6)), epochs=2)
    (run,) = runs_of(uri)
    assert run.data.params["train.model.recipe.epochs"] == "1"
    assert len(history(uri, run.info.run_id)) == 3


def test_a_commit_that_measured_nothing_leaves_the_curve_alone(uri):
    log(uri, make_curve(), commit="c0ffee")
    tracked = log(uri, make_curve(), commit="decaf")
    assert [run.data.tags["mlflow.source.git.commit"] for run in runs_of(uri)] == ["c0ffee"]
    parent = MlflowClient(uri).get_run(tracked.sweep_run_id)
    assert parent.data.tags["mlflow.source.git.commit"] == "decaf"


def test_of_duplicates_the_earliest_stays(uri):
    tracked = log(uri, make_curve())
    (run,) = runs_of(uri)
    client = MlflowClient(uri)
    time.sleep(0.002)  # later than the first by start time
    other_parent = client.create_run(tracked.experiment_id, tags={"orchard.sweep": "quick"})
    tags = {
        "orchard.curve": run.data.tags["orchard.curve"],
        "orchard.current": "yes",
        "mlflow.parentRunId": other_parent.info.run_id,
    }
    client.create_run(tracked.experiment_id, tags=tags)
    assert log(uri, make_curve()) == tracked
    assert [kept.info.run_id for kept in runs_of(uri)] == [run.info.run_id]
    assert [kept.info.run_id for kept in runs_of(uri, "orchard.sweep")] == [tracked.sweep_run_id]


def test_a_seed_below_a_run_that_is_gone_is_taken_over(uri):
    log(uri, make_curve())
    (run,), (mean,) = runs_of(uri), runs_of(uri, "orchard.mean")
    MlflowClient(uri).set_tag(run.info.run_id, "mlflow.parentRunId", "gone")
    log(uri, make_curve())
    assert runs_of(uri)[0].data.tags["mlflow.parentRunId"] == mean.info.run_id


def test_a_crash_before_the_first_row_leaves_no_second_run(uri):
    log(uri, make_curve(measured=()))
    log(uri, make_curve())
    (run,) = runs_of(uri)
    assert len(history(uri, run.info.run_id)) == 2


def test_a_request_that_dies_half_way_is_made_good(uri, monkeypatch):
    # MLflow writes parameters, rows and tags of one request in this order, each for itself: the tag that says which
    # rows are there must never be there without them.
    def fail(*arguments):
        raise OSError("the server died")

    monkeypatch.setattr(SqlAlchemyStore, "_log_metrics", fail)
    with pytest.raises(TrackingUnavailableError, match="the server died"):
        log(uri, make_curve())
    monkeypatch.undo()
    log(uri, make_curve())
    (run,) = runs_of(uri)
    assert history(uri, run.info.run_id).keys() == {20, 40}


def test_rebuilding_mends_what_was_damaged(uri, tmp_path):
    log(uri, make_curve(), make_curve(seed=1))
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        connection.execute("DELETE FROM metrics WHERE step = 20")
    log(uri, make_curve(), make_curve(seed=1))
    assert [history(uri, run.info.run_id).keys() for run in runs_of(uri)] == [{40}, {40}]  # MLflow's word is taken
    log(uri, make_curve(), make_curve(seed=1), rebuild=True)
    assert [history(uri, run.info.run_id).keys() for run in runs_of(uri)] == [{20, 40}, {20, 40}]
    assert len(runs_of(uri, "orchard.sweep")) == 1


def test_rebuilding_in_an_empty_mlflow_is_logging(uri):
    log(uri, make_curve(), rebuild=True)
    assert len(runs_of(uri)) == 1


def test_rebuilding_a_deleted_experiment_brings_no_old_run_back(uri):
    tracked = log(uri, make_curve())
    log(uri, make_curve(), rebuild=True)
    MlflowClient(uri).delete_experiment(tracked.experiment_id)
    log(uri, make_curve(), rebuild=True)
    assert (len(runs_of(uri)), len(runs_of(uri, "orchard.sweep"))) == (1, 1)


def test_rebuilding_leaves_a_users_own_runs(uri):
    tracked = log(uri, make_curve())
    MlflowClient(uri).create_run(tracked.experiment_id, tags={"mine": "yes"})
    log(uri, make_curve(), rebuild=True)
    assert len(runs_of(uri, "mine")) == 1


def test_a_deleted_experiment_is_taken_out_of_the_bin(uri):
    tracked = log(uri, make_curve())
    MlflowClient(uri).delete_experiment(tracked.experiment_id)
    assert log(uri, make_curve()) == tracked
    assert len(runs_of(uri)) == 1


def test_status_follows_the_points(uri):
    half = make_curve(measured=(0.2,))
    statuses = []
    for curve, ended in ((half, False), (half, True), (half, False), (make_curve(), False)):
        tracked = log(uri, curve, ended=ended)
        parent = MlflowClient(uri).get_run(tracked.sweep_run_id)
        statuses.append((runs_of(uri)[0].info.status, parent.info.status))
    expected = ["RUNNING", "FAILED", "RUNNING", "FINISHED"]  # missing; given up; taken up again; complete
    assert statuses == [(status, status) for status in expected]


def test_files_lie_beside_the_database_on_the_parent_run(uri, tmp_path):
    tracked = log(uri, make_curve(), artifacts={"curves.png": b"old", "points.csv": b"a,b"})
    log(uri, make_curve(), artifacts={"curves.png": b"new", "points.csv": b"a,b"})
    client = MlflowClient(uri)
    assert [file.path for file in client.list_artifacts(tracked.sweep_run_id)] == ["curves.png", "points.csv"]
    (figure,) = tmp_path.glob("mlflow-artifacts/quick/**/curves.png")
    assert figure.read_bytes() == b"new"


def test_more_rows_than_a_batch_holds(uri):
    compressions = tuple(step / 100 for step in range(100))
    curve = make_curve(compressions=compressions)
    wide = tuple({f"extra{number}": 1.0 for number in range(13)} | dict(point.metrics) for point in curve.points)
    points = tuple(
        Point(asked=point.asked, key=point.key, metrics=metrics, created_s=point.created_s)
        for point, metrics in zip(curve.points, wide, strict=True)
    )
    log(uri, Curve(plan=curve.plan, points=points))  # 20 keys at 100 steps: 2,000 rows, where a request may hold 1,000
    (run,) = runs_of(uri)
    assert len(history(uri, run.info.run_id, "extra0")) == 100
    assert len(json.loads(run.data.tags["orchard.recorded"])) == 100
    assert len(run.data.tags["orchard.recorded"]) < 5000  # what the server takes for a tag


def test_many_rows_of_further_stages_are_recorded_below_the_length_of_mlflows_tags(uri):
    curve = make_curve(compressions=tuple(step / 100 for step in range(100)))
    further = {stage: stage[0] * 32 for stage in ("quantize", "time", "attack")}
    planned = tuple(replace(point, further=tuple(further.items())) for point in curve.plan.points)
    measured = tuple(Further(stage=stage, key=key, metrics={}, created_s=1.0) for stage, key in further.items())
    points = tuple(replace(point, further=measured) for point in curve.points)
    for _ in range(2):
        log(uri, Curve(plan=replace(curve.plan, points=planned), points=points))
    for (run,) in (runs_of(uri), runs_of(uri, "orchard.mean")):
        assert len(recorded_rows(run)) == 400
        assert max(map(len, run.data.tags.values())) < 5000


def test_what_was_recorded_in_a_tag_that_mlflow_cut_is_recorded_again(uri):
    log(uri, make_curve())
    for tag in ("orchard.curve", "orchard.mean"):
        (run,) = runs_of(uri, tag)
        MlflowClient(uri).set_tag(run.info.run_id, "orchard.recorded", run.data.tags["orchard.recorded"][:-9])
    log(uri, make_curve())
    for tag in ("orchard.curve", "orchard.mean"):
        (run,) = runs_of(uri, tag)
        assert history(uri, run.info.run_id) == pytest.approx({20: 0.8, 40: 0.6})
        assert recorded_rows(run).keys() == {"20", "40"}


def test_long_settings_are_cut_to_what_mlflow_takes():
    plan = replace(make_curve().plan, settings={"train.model.arguments.widths": str([7] * 9000)})
    assert len(settings_of(plan)["train.model.arguments.widths"]) == 500


def test_what_the_tasks_took_is_a_tag(uri):
    curve = make_curve()
    log(uri, curve, resources={curve.plan: {"train": "1 CPU, 0 GPU, 8.0 s"}})
    (run,) = runs_of(uri)
    assert json.loads(run.data.tags["orchard.resources"]) == {"train": "1 CPU, 0 GPU, 8.0 s"}


@pytest.mark.slow
def test_logging_twice_through_a_server_changes_nothing(tmp_path, uri):
    files = str(tmp_path / "files")
    with mlflow_server(uri, "--artifacts-destination", files) as address:
        curves = (make_curve(), make_curve(seed=1, measured=(0.2,)))
        first = log(address, *curves, artifacts={"curves.png": b"png"})
        before = everything(tmp_path / "mlflow.db")
        assert log(address, *curves, artifacts={"curves.png": b"png"}) == first
        assert everything(tmp_path / "mlflow.db") == before
        assert first.address.startswith(f"{address}/#/experiments/{first.experiment_id}")
        assert [history(address, run.info.run_id).keys() for run in runs_of(address)] == [{20, 40}, {20}]
        logged = MlflowClient(address).list_artifacts(first.sweep_run_id)
        assert [file.path for file in logged] == ["curves.png"]


@pytest.mark.slow
def test_a_server_killed_while_it_is_logged_to_loses_and_doubles_nothing(database, monkeypatch):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    curves = [make_curve(seed=seed) for seed in range(6)]
    log_batch = MlflowClient.log_batch
    with mortal_mlflow_server(port, database) as kill:
        calls = count()

        def fatal(self, *arguments, **options):
            if next(calls) == 2:
                kill()
            return log_batch(self, *arguments, **options)

        monkeypatch.setattr(MlflowClient, "log_batch", fatal)
        with pytest.raises(TrackingUnavailableError, match="orchard sync"):
            log(address, *curves)
        monkeypatch.undo()
    assert len(runs_of(database)) == 2  # one with its rows, one without; one was killed while its mean was logged
    with mortal_mlflow_server(port, database):
        log(address, *curves, ended=True)
    runs = runs_of(database)
    assert sorted(run.data.params["seed"] for run in runs) == ["0", "1", "2", "3", "4", "5"]
    assert all(history(database, run.info.run_id).keys() == {20, 40} for run in runs)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(runs_of(database, "orchard.sweep")) == 1
