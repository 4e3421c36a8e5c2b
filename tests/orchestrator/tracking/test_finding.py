"""A sweep's experiment is deleted, renamed or its name taken in MLflow while the sweep runs: all rows are there."""

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from tracked_curves import log, make_curve, make_record

from orchestrator.tracking.ending import end_runs
from orchestrator.tracking.experiment import sweep_page
from orchestrator.tracking.runs import find_measured

HALF = make_curve(measured=(0.2,))
WHOLE = make_curve()


@pytest.fixture
def client(uri) -> MlflowClient:
    """What a person does in MLflow's pages."""
    return MlflowClient(uri)


def rows(client, number: str) -> dict[tuple[str, str], list[int]]:
    """Steps with a row, by kind and state of the active runs of an experiment."""
    found = {}
    for run in client.search_runs([number]):
        name = run.data.tags.get("orchard.kind", "own"), run.info.status
        assert name not in found
        found[name] = sorted(row.step for row in client.get_metric_history(run.info.run_id, "accuracy"))
    return found


ALL_ROWS = {("sweep", "FINISHED"): [], ("mean", "FINISHED"): [20, 40], ("seed", "FINISHED"): [20, 40]}


def own_runs(client, name: str) -> str:
    """Another's experiment, with a run of its own."""
    number = client.create_experiment(name)
    client.create_run(number)
    return number


def test_a_deleted_one_is_restored_with_a_word_and_its_rows_go_on(uri, client, caplog):
    number = log(uri, HALF).experiment_id
    client.delete_experiment(number)
    assert (sweep_page("quick", None, tracking_uri=uri), end_runs("quick", None, uri)) == ((None, False), 0)
    assert log(uri, WHOLE, ended=True).experiment_id == number
    assert rows(client, number) == ALL_ROWS
    assert [each.message[:50] for each in caplog.records] == ["MLflow: the experiment of quick had been deleted t"]


@pytest.mark.parametrize("method", ["create_run", "log_batch", "set_experiment_tag"])
def test_one_that_is_deleted_between_two_requests_is_restored(uri, client, monkeypatch, method):
    number = log(uri, HALF).experiment_id
    called, deleted = getattr(MlflowClient, method), []

    def deleting(self, *arguments, **options):
        if not deleted:
            deleted.append(client.delete_experiment(number))
        return called(self, *arguments, **options)

    monkeypatch.setattr(MlflowClient, method, deleting)
    assert log(uri, WHOLE, make_curve("l2"), ended=True).experiment_id == number
    assert deleted
    assert len(client.search_runs([number])) == 5


def test_one_that_is_gone_for_good_is_made_again(uri, client):
    number = log(uri, HALF).experiment_id
    client.delete_experiment(number)
    client._tracking_client.store._hard_delete_experiment(number)
    assert rows(client, log(uri, WHOLE, ended=True).experiment_id) == ALL_ROWS


def test_a_run_that_is_deleted_is_made_again(uri, client):
    number = log(uri, HALF).experiment_id
    (run,) = client.search_runs([number], "tags.`orchard.kind` = 'seed'")
    client.delete_run(run.info.run_id)
    log(uri, WHOLE, ended=True)
    assert rows(client, number) == ALL_ROWS


def test_a_renamed_one_is_the_same_also_where_another_has_its_name_now(uri, client):
    number = log(uri, HALF).experiment_id
    client.rename_experiment(number, "mine")
    other = own_runs(client, "quick")
    assert log(uri, WHOLE, ended=True).experiment_id == number
    assert rows(client, number) == ALL_ROWS
    assert rows(client, other) == {("own", "RUNNING"): []}
    assert f"/experiments/{number}/" in sweep_page("quick", None, tracking_uri=uri)[0]
    (point, _), plan = WHOLE.points, make_record(WHOLE).curves[0]
    assert find_measured(client, "quick", None, plan, point).info.experiment_id == number


def test_where_its_name_is_taken_the_sweep_gets_a_similar_one_with_a_word(uri, client, caplog):
    taken = {own_runs(client, "quick"), own_runs(client, "quick (orchard)")}
    first = log(uri, HALF)
    assert log(uri, WHOLE, ended=True).experiment_id == first.experiment_id
    assert rows(client, first.experiment_id) == ALL_ROWS
    assert client.get_experiment(first.experiment_id).name == "quick (orchard 2)"
    assert [rows(client, number) for number in taken] == [{("own", "RUNNING"): []}] * 2
    assert [each.message for each in caplog.records] == [
        "MLflow: 'quick' is an experiment with other runs, or of a sweep of this name in another store; the runs of "
        "this sweep are in 'quick (orchard 2)'"
    ]


def test_sweeps_of_one_name_in_several_stores_have_an_experiment_each(uri, client, caplog):
    numbers = [log(uri, HALF, store_id=each).experiment_id for each in ("a", "b", "c")]
    again = [log(uri, WHOLE, store_id=each, ended=True).experiment_id for each in ("a", "b")]
    assert (again, len(set(numbers))) == (numbers[:2], 3)
    assert [client.get_experiment(each).name for each in numbers] == ["quick", "quick (orchard)", "quick (orchard 2)"]
    assert [rows(client, each) for each in again] == [ALL_ROWS] * 2
    assert [f"/experiments/{each}/" in sweep_page("quick", "b", tracking_uri=uri)[0] for each in numbers] == [0, 1, 0]
    assert sweep_page("quick", None, tracking_uri=uri) == (None, False)
    plan, point = make_record(WHOLE).curves[0], WHOLE.points[1]
    assert find_measured(client, "quick", "b", plan, point).info.experiment_id == numbers[1]
    assert [end_runs("quick", each, uri) for each in ("a", "c", "d")] == [0, 3, 0]
    assert len(caplog.records) == 2


def test_an_experiment_that_names_no_store_becomes_that_of_the_first(uri):
    number = log(uri, HALF).experiment_id
    assert [log(uri, HALF, store_id=each).experiment_id == number for each in ("a", "b", "a")] == [True, False, True]


def test_an_empty_one_of_its_name_and_one_of_an_earlier_version_are_its_own(uri, client):
    made = client.create_experiment("quick")
    assert log(uri, HALF).experiment_id == made
    client.delete_experiment_tag(made, "orchard.sweep")
    client.create_run(made)  # one of the user's own beside
    assert log(uri, WHOLE).experiment_id == made
    assert len(client.search_experiments(view_type=ViewType.ALL)) == 2  # with MLflow's own
