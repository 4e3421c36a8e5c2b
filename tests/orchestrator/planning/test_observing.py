"""Calibration passes and scores in a plan."""

from collections import Counter
from dataclasses import replace

from planned import ENVIRONMENT, tasks_of

from jobs.stages.table import StageKind


def criteria(*named, **settings):
    """Overrides that put criterion methods beside those that are there."""
    return [f"methods.{name}={{kind: criterion, criterion: {name}, {settings.get(name, '')}}}" for name in named]


STREAMED = ("mean-mean", "mean-std", "mean-l1", "mean-l2", "var-l2", "mean-absolute-activation", "apoz")


def test_one_pass_over_the_data_serves_all_streamed_criteria_and_compressions(plan):
    made = plan(*criteria(*STREAMED))
    (observed,) = tasks_of(made, StageKind.OBSERVE)
    readers = [task for task in tasks_of(made, StageKind.SCORE) if task.params.observed]
    assert len(readers) == len(STREAMED)
    assert {task.inputs["observed.artifact"] for task in readers} == {observed.key}
    assert (observed.params.observation, observed.params.images.num_images) == ("activations", None)
    assert made.asked[StageKind.OBSERVE] == len(STREAMED) * 2  # compressions


def test_other_settings_are_another_pass(plan):
    made = plan(*criteria("apoz", "mean-l1", "hrank", "taylor", apoz="score: {images: 7}"))
    observed = [task.params for task in tasks_of(made, StageKind.OBSERVE)]
    passes = {(params.observation, params.images.num_images) for params in observed}
    assert passes == {
        ("activations", 7),
        ("activations", None),
        ("ranks", 512),
        ("gradients", 1024),
    }


def test_a_criterion_that_joins_leaves_all_other_tasks_as_they_are(plan):
    before, after = plan(*criteria("mean-l1")).tasks, plan(*criteria("mean-l1", "apoz", "hrank", "fpgm")).tasks
    assert before.keys() < after.keys()


def test_a_pass_over_all_images_is_shared_by_the_seeds_and_one_over_some_is_not(plan):
    environment = replace(ENVIRONMENT, weights={"net": "f"})
    overrides = ("models.net={network: resnet, weights: w.safetensors}", "seeds=[0,1]", *criteria("apoz", "taylor"))
    passes = Counter(
        task.params.observation for task in tasks_of(plan(*overrides, environment=environment), StageKind.OBSERVE)
    )
    assert passes == {"activations": 1, "gradients": 2}


def test_data_count_only_where_they_are_looked_at(plan):
    overrides = (*criteria("l2", "apoz"), "models.net={network: resnet, weights: w.safetensors}")
    scored = []
    for data in ("d", "other"):
        made = plan(*overrides, environment=replace(ENVIRONMENT, data=data, weights={"net": "f"}))
        scored.append({task.params.criterion: task.params for task in tasks_of(made, StageKind.SCORE)})
    assert scored[0]["l2"].observed is None
    assert scored[0]["apoz"].observed != scored[1]["apoz"].observed


def test_the_users_own_criterion_counts_by_its_source_and_its_seed(plan):
    own = "methods.mine={kind: criterion, criterion: 'jobs.mine:worth', observation: 'jobs.mine:look'}"

    def scored(digest, *more):
        made = plan(own, *more, environment=replace(ENVIRONMENT, sources=dict.fromkeys(PATHS, digest)))
        (params,) = (task.params for task in tasks_of(made, StageKind.SCORE) if ":" in task.params.criterion)
        return params

    before, after = scored("1"), scored("2")
    assert (before.source, before.seed) == ("1", 0)
    assert before.observed != after.observed


PATHS = ("jobs.mine:worth", "jobs.mine:look")


def test_observing_asks_for_a_share_of_a_gpu_and_scoring_for_none(plan):
    made = plan(*criteria("apoz"), environment=replace(ENVIRONMENT, device="cuda"))
    (observed,) = tasks_of(made, StageKind.OBSERVE)
    assert (observed.resources.num_gpus, observed.environment["device"]) == (0.25, "cuda")
    assert {task.resources.num_gpus for task in tasks_of(made, StageKind.SCORE)} == {0}
