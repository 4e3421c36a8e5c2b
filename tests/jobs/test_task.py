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


GROUPS = (GroupSize(name="stem", width=128), GroupSize(name="body", width=256))


def test_a_wide_group_has_an_order_task_of_its_own():
    tasks = order_tasks(permute(), GROUPS)
    assert [task.params["groups"] for task in tasks] == [["stem"], ["body"]]
    assert [task.label for task in tasks] == ["net/seed0 stem", "net/seed0 body"]
    assert all(task.inputs == {"network": "converted"} for task in tasks)


def test_narrow_groups_share_tasks_of_at_most_256_channels():
    # 100 + 100 fit, with 57 more they do not: the third opens the next task, where 120 and 79 fill 256 exactly.
    widths = {"a": 100, "wide": 512, "b": 100, "c": 57, "d": 120, "e": 79, "f": 1}
    tasks = order_tasks(permute(), [GroupSize(name=name, width=width) for name, width in widths.items()])
    assert [task.params["groups"] for task in tasks] == [["wide"], ["a", "b"], ["c", "d", "e"], ["f"]]
    assert [task.label for task in tasks][1:3] == ["net/seed0 a and 1 more", "net/seed0 c and 2 more"]
    assert tasks[1].work == 2 * 100**2


def test_no_groups_no_order_tasks():
    assert order_tasks(permute(), []) == ()


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
