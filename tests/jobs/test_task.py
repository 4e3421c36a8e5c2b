from dataclasses import replace

from jobs.task import GroupSize, Resources, StageKind, make_task, order_tasks

ENVIRONMENT = {"torch": "2", "dtype": "float32", "device": "cpu"}


def score(**changes):
    fields = {"params": {"criterion": "l1", "seed": None}, "inputs": {"network": "k"}, "environment": ENVIRONMENT}
    return make_task(StageKind.SCORE, **{**fields, **changes})


def test_whatever_can_change_the_result_changes_the_key():
    keys = {
        score().key,
        score(params={"criterion": "l2", "seed": None}).key,
        score(params={"criterion": "l1", "seed": 0}).key,
        score(inputs={"network": "other"}).key,
        score(environment={**ENVIRONMENT, "torch": "3"}).key,
        score(environment={**ENVIRONMENT, "device": "cuda"}).key,
    }
    assert len(keys) == 6


def test_where_and_how_fast_it_runs_leaves_the_key():
    assert score().key == score(resources=Resources(num_cpus=8), locations={"data": "/d"}, label="x", work=9.0).key


def permute(method="tsp", seed=0):
    return make_task(
        StageKind.PERMUTE,
        params={"ordering": {"method": method}, "seed": seed},
        inputs={"network": "converted"},
        environment=ENVIRONMENT,
        label="net/seed0",
    )


GROUPS = (GroupSize(name="stem", width=16), GroupSize(name="body", width=64))


def test_a_permute_task_has_one_order_task_per_group():
    tasks = order_tasks(permute(), GROUPS)
    assert [task.params["group"] for task in tasks] == ["stem", "body"]
    assert all(task.inputs == {"network": "converted"} for task in tasks)


def test_the_larger_group_is_more_work():
    small, large = order_tasks(permute(), GROUPS)
    assert large.work > small.work


def test_order_tasks_are_the_same_wherever_they_are_asked_for():
    first = order_tasks(permute(), GROUPS, Resources(num_cpus=4))
    second = order_tasks(replace(permute(), label="elsewhere"), GROUPS)
    assert [task.key for task in first] == [task.key for task in second]


def test_another_ordering_or_seed_means_other_order_tasks():
    keys = {order_tasks(task, GROUPS)[0].key for task in (permute(), permute("random"), permute(seed=1))}
    assert len(keys) == 3
