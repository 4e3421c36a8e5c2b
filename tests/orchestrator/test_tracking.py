"""Logging against real SQLite databases and a real MLflow server."""

import json
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from servers import free_port, mlflow_server, mortal_mlflow_server

from orchestrator.results import METRICS, Curve, PlannedCurve, PlannedPoint, Point, SweepRecord
from orchestrator.tracking import TrackingUnavailableError, log_sweep, ui_command
from orchestrator.tracking.runs import settings_of

CREATED_S = 1_700_000_000.25


def make_curve(method="l1", *, seed=0, compressions=(0.2, 0.4), measured=None, computation="a") -> Curve:
    """A curve; `computation` stands for all that a task's key covers besides the compression."""
    keys = {asked: f"{computation}{method}{seed}{round(asked * 100):02d}".ljust(32, "0") for asked in compressions}
    planned = tuple(PlannedPoint(compression=asked, key=keys[asked]) for asked in compressions)
    plan = PlannedCurve(model="net", dataset="digits", method=method, protocol="none", seed=seed, points=planned)
    points = tuple(
        Point(asked=asked, key=keys[asked], metrics=dict.fromkeys(METRICS, 1 - asked), created_s=CREATED_S + asked)
        for asked in (compressions if measured is None else measured)
    )
    return Curve(plan=plan, points=points)


def make_record(*curves: Curve, epochs=1, commit="c0ffee") -> SweepRecord:
    methods = {curve.plan.method: {"kind": "criterion", "criterion": "l1", "compressions": [0.2]} for curve in curves}
    model = {"network": "resnet", "weights": None, "train": {"epochs": epochs, "nesterov": False}}
    return SweepRecord(
        name="quick",
        spec={"name": "quick", "models": {"net": model}, "methods": methods},
        curves=tuple(curve.plan for curve in curves),
        git_commit=commit,
        versions={"torch": "2.15.0"},
    )


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory) -> bytes:
    """A migrated database: making one takes seconds, copying it does not."""
    folder = tmp_path_factory.mktemp("database")
    MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return (folder / "mlflow.db").read_bytes()


@pytest.fixture
def uri(tmp_path, empty_database) -> str:
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    return f"sqlite:///{tmp_path}/mlflow.db"


def log(uri: str, *curves: Curve, epochs=1, commit="c0ffee", **options):
    return log_sweep(make_record(*curves, epochs=epochs, commit=commit), curves, tracking_uri=uri, **options)


def runs_of(uri: str, tag="orchard.curve", view=ViewType.ACTIVE_ONLY):
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("quick")
    runs = client.search_runs([experiment.experiment_id], run_view_type=view, order_by=["attributes.start_time ASC"])
    return [run for run in runs if tag in run.data.tags]


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


def test_a_curve_becomes_a_child_run_with_rows_at_whole_percents(uri):
    tracked = log(uri, make_curve(compressions=(0.2, 0.29, 0.4)))
    (run,) = runs_of(uri)
    assert run.info.run_name == "net/l1/seed0"
    assert run.data.tags["mlflow.parentRunId"] == tracked.parent_run_id
    assert set(run.data.metrics) == set(METRICS)
    assert history(uri, run.info.run_id) == pytest.approx({20: 0.8, 29: 0.71, 40: 0.6})  # 0.29 * 100 is 28.999...
    first = MlflowClient(uri).get_metric_history(run.info.run_id, "loss")[0]
    assert first.timestamp == 1_700_000_000_450  # created_s is 0.2 s after .25


def test_settings_are_params_and_provenance_is_tags(uri):
    log(uri, make_curve())
    (run,) = runs_of(uri)
    assert run.data.params == {
        "model": "net",
        "dataset": "digits",
        "method": "l1",
        "protocol": "none",
        "seed": "0",
        "model.network": "resnet",
        "model.train.epochs": "1",
        "model.train.nesterov": "false",
        "method.kind": "criterion",
        "method.criterion": "l1",
    }  # compressions may grow, so they are no parameter; what is null is left out
    assert run.data.tags["mlflow.source.git.commit"] == "c0ffee"
    assert run.data.tags["orchard.version.torch"] == "2.15.0"


def test_logging_twice_changes_nothing(uri, tmp_path):
    curves = (make_curve(), make_curve(seed=1), make_curve("integral"))
    first = log(uri, *curves, artifacts={"curves.png": b"png"}, ended=True)
    before = everything(tmp_path / "mlflow.db")
    assert log(uri, *curves, artifacts={"curves.png": b"png"}, ended=True) == first
    assert everything(tmp_path / "mlflow.db") == before


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
    old, new = runs_of(uri)
    assert (old.data.params["model.train.epochs"], old.data.tags["orchard.current"]) == ("1", "no")
    assert (new.data.params["model.train.epochs"], new.data.tags["orchard.current"]) == ("2", "yes")
    assert len(history(uri, old.info.run_id)) == 2


def test_going_back_to_the_old_setting_goes_back_to_the_old_run(uri):
    log(uri, make_curve(computation="a"), epochs=1)
    log(uri, make_curve(computation="b"), epochs=2)
    log(uri, make_curve(computation="a"), epochs=1)
    assert [run.data.tags["orchard.current"] for run in runs_of(uri)] == ["yes", "no"]


def test_a_changed_setting_with_other_compressions_gives_a_new_run(uri):
    log(uri, make_curve(compressions=(0.2,)), epochs=1)
    log(uri, make_curve(compressions=(0.4,)), epochs=2)
    assert [run.data.params["model.train.epochs"] for run in runs_of(uri)] == ["1", "2"]


def test_a_setting_that_changed_no_task_goes_on_and_stays_as_it_was(uri):
    log(uri, make_curve(), epochs=1)
    log(uri, make_curve(compressions=(0.2, 0.4, 0.6)), epochs=2)
    (run,) = runs_of(uri)
    assert run.data.params["model.train.epochs"] == "1"
    assert len(history(uri, run.info.run_id)) == 3


def test_a_commit_that_measured_nothing_leaves_the_curve_alone(uri):
    log(uri, make_curve(), commit="c0ffee")
    tracked = log(uri, make_curve(), commit="decaf")
    assert [run.data.tags["mlflow.source.git.commit"] for run in runs_of(uri)] == ["c0ffee"]
    parent = MlflowClient(uri).get_run(tracked.parent_run_id)
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
    assert [kept.info.run_id for kept in runs_of(uri, "orchard.sweep")] == [tracked.parent_run_id]


def test_a_child_of_a_deleted_copy_of_the_parent_is_taken_over(uri):
    log(uri, make_curve())
    (run,) = runs_of(uri)
    MlflowClient(uri).set_tag(run.info.run_id, "mlflow.parentRunId", "gone")
    tracked = log(uri, make_curve())
    assert runs_of(uri)[0].data.tags["mlflow.parentRunId"] == tracked.parent_run_id


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
        parent = MlflowClient(uri).get_run(tracked.parent_run_id)
        statuses.append((runs_of(uri)[0].info.status, parent.info.status))
    expected = ["RUNNING", "FAILED", "RUNNING", "FINISHED"]  # missing; given up; taken up again; complete
    assert statuses == [(status, status) for status in expected]


def test_files_lie_beside_the_database_on_the_parent_run(uri, tmp_path):
    tracked = log(uri, make_curve(), artifacts={"curves.png": b"old", "points.csv": b"a,b"})
    log(uri, make_curve(), artifacts={"curves.png": b"new", "points.csv": b"a,b"})
    client = MlflowClient(uri)
    assert [file.path for file in client.list_artifacts(tracked.parent_run_id)] == ["curves.png", "points.csv"]
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


def test_long_settings_are_cut_to_what_mlflow_takes():
    curve = make_curve()
    record = make_record(curve)
    record.spec["models"]["net"]["arguments"] = {"widths": [7] * 9000}
    assert len(settings_of(record, curve.plan)["model.arguments.widths"]) == 500


def test_a_fresh_database_has_a_write_ahead_log(tmp_path):
    path = tmp_path / "new" / "mlflow.db"
    log(f"sqlite:///{path}", make_curve())
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_home_is_written_out(tmp_path, monkeypatch, empty_database):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    log("sqlite:///~/mlflow.db", make_curve())
    assert len(runs_of(f"sqlite:///{tmp_path}/mlflow.db")) == 1


@pytest.mark.slow
def test_two_processes_make_one_database(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    code = (
        "import sys; from orchestrator.results import SweepRecord; from orchestrator.tracking import log_sweep\n"
        "log_sweep(SweepRecord(name=sys.argv[2], spec={}, curves=()), [], tracking_uri=sys.argv[1])"
    )
    root = Path(__file__).parents[2]
    processes = [subprocess.Popen([sys.executable, "-c", code, uri, name], cwd=root) for name in ("one", "two")]
    assert [process.wait(120) for process in processes] == [0, 0]
    names = {experiment.name for experiment in MlflowClient(uri).search_experiments()}
    assert {"one", "two"} <= names


@pytest.mark.slow
def test_logging_twice_through_a_server_changes_nothing(tmp_path, empty_database):
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    files = str(tmp_path / "files")
    with mlflow_server(f"sqlite:///{tmp_path}/mlflow.db", "--artifacts-destination", files) as address:
        curves = (make_curve(), make_curve(seed=1, measured=(0.2,)))
        first = log(address, *curves, artifacts={"curves.png": b"png"})
        before = everything(tmp_path / "mlflow.db")
        assert log(address, *curves, artifacts={"curves.png": b"png"}) == first
        assert everything(tmp_path / "mlflow.db") == before
        assert first.address.startswith(f"{address}/#/experiments/{first.experiment_id}")
        assert [history(address, run.info.run_id).keys() for run in runs_of(address)] == [{20, 40}, {20}]
        logged = MlflowClient(address).list_artifacts(first.parent_run_id)
        assert [file.path for file in logged] == ["curves.png"]


@pytest.mark.slow
def test_a_server_killed_while_it_is_logged_to_loses_and_doubles_nothing(tmp_path, empty_database, monkeypatch):
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    database, port = f"sqlite:///{tmp_path}/mlflow.db", free_port()
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
    assert len(runs_of(database)) == 3  # two with their rows, one without
    with mortal_mlflow_server(port, database):
        log(address, *curves, ended=True)
    runs = runs_of(database)
    assert sorted(run.data.params["seed"] for run in runs) == ["0", "1", "2", "3", "4", "5"]
    assert all(history(database, run.info.run_id).keys() == {20, 40} for run in runs)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(runs_of(database, "orchard.sweep")) == 1


def test_a_server_that_is_not_there_is_found_out_at_once():
    start = time.monotonic()
    with pytest.raises(TrackingUnavailableError) as caught:
        log(f"http://127.0.0.1:{free_port()}", make_curve())
    assert time.monotonic() - start < 30  # not the minutes of MLflow's own retries
    for words in ("http://127.0.0.1:", "refused", "orchard sync"):  # where, what was found, what to do
        assert words in str(caught.value)


def test_a_server_that_says_nothing_is_given_up_in_seconds():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        accepted = threading.Thread(target=mute.accept, daemon=True)
        accepted.start()
        start = time.monotonic()
        with pytest.raises(TrackingUnavailableError):
            log(f"http://127.0.0.1:{mute.getsockname()[1]}", make_curve())
        assert time.monotonic() - start < 60


def test_a_database_server_that_is_not_there_hides_its_password():
    with pytest.raises(TrackingUnavailableError) as caught:
        log(f"postgresql://me:secret@127.0.0.1:{free_port()}/mlflow", make_curve())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("uri", ["sqlite:////proc/no/mlflow.db", "nonsense://here", "http://host:port"])
def test_an_address_that_cannot_be_used_is_one_error(uri):
    with pytest.raises(TrackingUnavailableError, match="orchard sync"):
        log(uri, make_curve())


def test_a_file_that_is_no_database_is_one_error(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is text, and more of it than a header would be: " * 20)
    with pytest.raises(TrackingUnavailableError, match="not a database"):
        log(f"sqlite:///{tmp_path}/mlflow.db", make_curve())


def test_what_to_type_for_the_ui():
    assert ui_command("http://host:5000/") == "http://host:5000"
    command = ui_command("sqlite:///~/a folder/mlflow.db")
    assert command.split()[0].endswith("mlflow")
    assert command.endswith(f"ui --backend-store-uri 'sqlite:///{Path.home()}/a folder/mlflow.db'")


def test_importing_the_package_imports_no_mlflow():
    code = "import sys, orchestrator.tracking, orchestrator.report; print({'mlflow', 'matplotlib'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
