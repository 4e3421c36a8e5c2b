"""Runs of mean curves in real databases: what is at the top level, in which order, and that no row is there twice."""

from mlflow import MlflowClient
from tracked_curves import log, make_curve, runs_of, with_accuracies

from orchestrator.tracking.runs import runs_by_tag

BOTH = (make_curve(), make_curve(seed=1))


def top_level(uri: str) -> list[str]:
    """Names of the runs that MLflow's page lists first, in its order."""
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("quick").experiment_id])
    return [run.info.run_name for run in runs if "mlflow.parentRunId" not in run.data.tags]


def rows(uri: str, key="accuracy") -> list[tuple[int, float]]:
    """The rows of the one mean curve."""
    (run,) = runs_of(uri, "orchard.mean")
    return [(row.step, round(row.value, 3)) for row in MlflowClient(uri).get_metric_history(run.info.run_id, key)]


def test_mean_curves_are_listed_first_controls_before_all_and_the_sweep_last(uri):
    log(uri, *BOTH, make_curve("dense", compressions=(0.0,)), ended=True)
    assert top_level(uri) == ["net/dense", "net/l1", "quick"]
    dense, l1 = runs_of(uri, "orchard.mean")
    below = {run.info.run_name: run.data.tags["mlflow.parentRunId"] for run in runs_of(uri)}
    assert below == {"net/dense/seed0": dense.info.run_id, **{f"net/l1/seed{seed}": l1.info.run_id for seed in (0, 1)}}
    assert (l1.info.status, l1.data.tags["orchard.method"], l1.data.params["method"]) == ("FINISHED", "l1", "l1")
    assert "seed" not in l1.data.params
    assert l1.data.tags["mlflow.runColor"] != dense.data.tags["mlflow.runColor"]


def test_a_method_that_is_added_stands_below_the_controls(uri):
    dense = make_curve("dense", compressions=(0.0,))
    log(uri, dense)
    log(uri, dense, make_curve())
    assert top_level(uri) == ["net/dense", "net/l1", "quick"]


def test_curves_that_measured_nothing_take_no_place(uri):
    log(uri, make_curve(), make_curve("l2", measured=()), ended=True)
    assert top_level(uri) == ["net/l1", "quick"]
    assert [run.info.run_name for run in runs_of(uri)] == ["net/l1/seed0"]


def test_a_mean_waits_for_its_seeds_until_the_sweep_ends_and_is_made_anew_when_they_come(uri):
    half = with_accuracies(make_curve(), (0.9, 0.5)), make_curve(seed=1, measured=())
    log(uri, *half)
    assert top_level(uri) == ["quick"]  # the first seed is below it meanwhile
    log(uri, *half, ended=True)
    assert rows(uri) == [(20, 0.9), (40, 0.5)]
    (failed,) = runs_of(uri, "orchard.mean")
    log(uri, half[0], with_accuracies(make_curve(seed=1), (0.7, 0.3)))
    assert rows(uri) == [(20, 0.8), (40, 0.4)]
    (run,) = runs_of(uri, "orchard.mean")
    assert (failed.info.status, run.info.status) == ("FAILED", "FINISHED")
    assert {seed.data.tags["mlflow.parentRunId"] for seed in runs_of(uri)} == {run.info.run_id}


def test_a_compression_more_goes_on_in_the_same_run(uri):
    log(uri, make_curve())
    (before,) = runs_of(uri, "orchard.mean")
    log(uri, make_curve(compressions=(0.2, 0.4, 0.6)))
    (after,) = runs_of(uri, "orchard.mean")
    assert (after.info.run_id, [step for step, _ in rows(uri)]) == (before.info.run_id, [20, 40, 60])


def test_a_seed_less_leaves_its_run_below_the_new_mean(uri):
    log(uri, *BOTH)
    log(uri, BOTH[0])
    (mean,) = runs_of(uri, "orchard.mean")
    assert [run.data.tags["mlflow.parentRunId"] for run in runs_of(uri)] == [mean.info.run_id] * 2


def test_a_run_that_died_before_its_tag_is_made_anew(uri):
    log(uri, *BOTH)
    client, (torn,) = MlflowClient(uri), runs_of(uri, "orchard.mean")
    client.delete_tag(torn.info.run_id, "orchard.recorded")
    log(uri, with_accuracies(BOTH[0], (0.1, 0.1)), BOTH[1])
    assert len(rows(uri)) == 2
    assert runs_of(uri, "orchard.mean")[0].info.run_id != torn.info.run_id


def test_the_layout_of_version_0_1_becomes_the_present_one_and_keeps_its_runs(uri):
    """One run for the sweep, below it one for each curve, those included that measured nothing."""
    tracked = log(uri, make_curve(), ended=True)
    client = MlflowClient(uri)
    (mean,), (old,) = runs_of(uri, "orchard.mean"), runs_of(uri)
    for run in (old, client.create_run(tracked.experiment_id, tags={"orchard.curve": "net/digits/l2/none/0"})):
        client.set_tag(run.info.run_id, "mlflow.parentRunId", tracked.sweep_run_id)
    client.delete_run(mean.info.run_id)
    again = log(uri, make_curve(), make_curve("l2", measured=()), ended=True)
    assert (again, top_level(uri)) == (tracked, ["net/l1", "quick"])
    assert [run.info.run_id for run in runs_of(uri)] == [old.info.run_id]
    named = runs_by_tag(client, tracked.experiment_id)
    assert {tag for tag, _ in named} == {"orchard.sweep", "orchard.mean", "orchard.curve"}
