from dataclasses import replace

import pytest
from plain_tasks import ENVIRONMENT, permute_task

from jobs.resources import Resources
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.scoring import Observed, ScoreParams
from jobs.stages.table import StageKind
from jobs.task import Locations, joined_tasks, make_task

MEASURED = {"groups": [{"name": "stem", "width": 128}, {"name": "body", "width": 256}]}


def score(*, beside=None, **changes):
    """A task with some parameters changed; `beside` them is what else a task has."""
    params = ScoreParams(**{"network": ArtifactKey("k"), "criterion": "l1", **changes})
    return make_task(params, **{"environment": ENVIRONMENT, **(beside or {})})


def test_whatever_can_change_the_result_changes_the_key():
    keys = {
        score().key,
        score(criterion="l2").key,
        score(seed=0).key,
        score(network=ArtifactKey("other")).key,
        score(beside={"environment": {**ENVIRONMENT, "torch": "3"}}).key,
        score(beside={"environment": {**ENVIRONMENT, "device": "cuda"}}).key,
        score(beside={"stage": StageKind.SENSE}).key,
    }
    assert len(keys) == 7


def test_another_version_of_the_stage_changes_the_key(monkeypatch):
    before = score().key
    monkeypatch.setattr(StageKind.SCORE, "row", replace(StageKind.SCORE.row, version=99))
    assert score().key != before


def test_where_and_how_fast_it_runs_leaves_the_key():
    beside = {
        "resources": Resources(num_cpus=8),
        "locations": Locations(data="/d", data_workers=4, evaluation_batch_size=8),
        "label": "x",
        "work": 9.0,
    }
    assert score().key == score(beside=beside).key


def test_its_stage_follows_from_its_parameters():
    assert score().stage is StageKind.SCORE


def test_parameters_of_no_stage_need_one_named():
    with pytest.raises(KeyError):
        make_task(StageParams(), environment=ENVIRONMENT)


def test_its_inputs_are_what_its_parameters_name():
    task = score(observed=Observed(observation="activations", artifact=ArtifactKey("seen")))
    assert task.inputs == {"network": "k", "observed.artifact": "seen"}


def test_its_identity_tells_what_the_key_is_made_of():
    assert score(seed=3).identity() == {
        "stage": "score",
        "version": StageKind.SCORE.row.version,
        "params": {"network": "k", "criterion": "l1", "seed": 3},
        "environment": ENVIRONMENT,
    }


def test_parameters_whose_results_alone_have_changed_have_another_key():
    class Revised(ScoreParams):
        @property
        def revision(self):
            return 2 if self.criterion == "l1" else None

    def revised(criterion):
        params = Revised(network=ArtifactKey("k"), criterion=criterion)
        return make_task(params, stage=StageKind.SCORE, environment=ENVIRONMENT)

    assert revised("l2").key == score(criterion="l2").key
    assert revised("l1").key != score().key
    assert revised("l1").identity() == {**score().identity(), "revision": 2}


def test_most_tasks_join_no_others():
    assert joined_tasks(score(), MEASURED) == ()


def test_joined_tasks_are_labelled_by_what_sets_them_apart():
    tasks = joined_tasks(permute_task("converted", label="net/seed0"), MEASURED)
    assert [task.label for task in tasks] == ["net/seed0 stem", "net/seed0 body"]
    assert {task.stage for task in tasks} == {StageKind.ORDER}
    assert all(task.inputs == {"network": "converted"} for task in tasks)


def test_joined_tasks_are_the_same_wherever_they_are_asked_for():
    four = Resources(num_cpus=4)
    first = joined_tasks(permute_task("converted"), MEASURED, {StageKind.ORDER: four})
    second = joined_tasks(permute_task("converted", label="elsewhere"), MEASURED)
    assert [task.key for task in first] == [task.key for task in second]
    assert {task.resources for task in first} == {four}
    assert {task.resources for task in second} == {Resources()}


def test_joined_tasks_are_of_the_family_and_the_environment_of_who_joins_them():
    task = replace(permute_task("converted"), family="net", environment={**ENVIRONMENT, "torch": "3"})
    assert {(each.family, each.environment["torch"]) for each in joined_tasks(task, MEASURED)} == {("net", "3")}
