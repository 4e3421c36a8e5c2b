import pytest
from plain_tasks import plain_task

from jobs.outcome import Usage
from jobs.resources import Resources
from jobs.stages.table import StageKind
from orchestrator.backends import NodeKind
from orchestrator.scheduling.cost_model import CostModel
from orchestrator.scheduling.estimate import estimate, needed_tasks

GPU = NodeKind(name="gpu", cpus=8, gpus=1)
CPU = NodeKind(name="cpu", cpus=32, gpus=0)


def seen(*stages, family="net", duration_s=10.0):
    model = CostModel()
    for stage in stages:
        model.observe(stage, family, duration_s=duration_s, work=1.0, usage=Usage())
    return model


def task(stage=StageKind.TRAIN, family="net", work=1.0, **resources):
    return plain_task(stage, resources=Resources(**resources), family=family, work=work)


def test_tasks_are_counted_on_the_smallest_node_that_has_what_they_request():
    tasks = [task(num_cpus=4, num_gpus=1), task(StageKind.ORDER, num_cpus=16)]
    train, order = estimate(tasks, seen(StageKind.TRAIN, StageKind.ORDER), [CPU, GPU])
    assert (train.node, train.work_s, train.cpu_s, train.gpu_s, train.node_s) == ("gpu", 10, 40, 10, 10)
    assert (order.node, order.work_s, order.cpu_s, order.gpu_s, order.node_s) == ("cpu", 10, 160, 0, 5)  # half a node


def test_what_was_not_seen_is_counted_apart():
    (cost,) = estimate([task(work=3.0), task(family="other")], seen(StageKind.TRAIN), [CPU])
    assert (cost.tasks, cost.unseen, cost.work_s) == (2, 1, 30)


def test_without_a_node_that_fits_there_are_hours_alone():
    (cost,) = estimate([task(num_gpus=2)], seen(StageKind.TRAIN), [CPU, GPU])
    assert (cost.node, cost.gpu_s, cost.node_s) == ("", 20, 0)


def test_only_what_the_targets_need_has_to_run():
    first, second = task(), task(StageKind.EVALUATE)
    tasks = {first.key: first, second.key: second}
    assert needed_tasks(tasks, [first.key], frozenset()) == [first]
    assert needed_tasks(tasks, [first.key, second.key], frozenset({first.key})) == [second]


def test_a_model_takes_over_only_what_it_has_not_seen():
    ours = seen(StageKind.TRAIN, duration_s=10.0)
    assert ours.adopt(seen(StageKind.TRAIN, StageKind.TUNE, family="theirs", duration_s=99.0), {"theirs": "net"})
    assert ours.expected_s(task()) == 10
    assert ours.expected_s(task(StageKind.TUNE)) == 99
    assert not ours.adopt(seen(StageKind.TUNE, family="stranger"), {"theirs": "net"})


@pytest.mark.parametrize("asked", [{"memory_bytes": 2**40}, {"num_cpus": 64}])
def test_a_node_without_the_room_is_not_taken(asked):
    roomy = NodeKind(name="roomy", cpus=64, gpus=0, memory_bytes=2**41)
    small = NodeKind(name="small", cpus=32, gpus=0, memory_bytes=2**39)
    (cost,) = estimate([task(**asked)], seen(StageKind.TRAIN), [small, roomy])
    assert cost.node == "roomy"
