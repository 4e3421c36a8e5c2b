"""Small plans for the scheduler, and outcomes of their tasks."""

from dataclasses import replace

from plain_tasks import permute_task, plain_task

from jobs.outcome import Failed, Succeeded
from jobs.resources import Resources
from jobs.stages.table import StageKind
from orchestrator.scheduling.scheduler import Lane, Scheduler

MEASURED = {"groups": [{"name": "a", "width": 128}, {"name": "b", "width": 512}, {"name": "c", "width": 256}]}


def task(stage, number=0, inputs=None, num_gpus=0.0):
    return plain_task(stage, inputs=inputs, resources=Resources(num_gpus=num_gpus), number=number)


def chain(numbers=(0,)):
    """train -> convert -> permute -> one prune and evaluate per number."""
    train = task(StageKind.TRAIN)
    convert = task(StageKind.CONVERT, inputs={"network": train.key})
    permute = permute_task(convert.key)
    tasks, targets = [train, convert, permute], []
    for number in numbers:
        prune = task(StageKind.PRUNE, number, {"network": permute.key})
        evaluate = task(StageKind.EVALUATE, number, {"network": prune.key})
        tasks += [prune, evaluate]
        targets.append(evaluate.key)
    return {each.key: each for each in tasks}, targets


def scheduler(tasks, targets, limit=100):
    limits = dict.fromkeys(Lane, limit)
    return Scheduler(tasks, targets, limits=limits)


def succeeded(each, **changes):
    measurements = MEASURED if each.stage is StageKind.CONVERT else {}
    return Succeeded(key=each.key, measurements=measurements, duration_s=1.0, **changes)


def failed(each, cause, **changes):
    return Failed(key=each.key, cause=cause, message="it did not work", **changes)


def run_all(state, submissions, outcome=succeeded):
    """Runs to the end in order of submission; returns the stages in that order."""
    ran, queue, now_s = [], [command.task for command in submissions], 0.0
    while queue:
        each = queue.pop(0)
        ran.append(each)
        now_s += 100.0  # more than any delay
        queue += [command.task for command in state.step([outcome(each)], now_s)]
    return ran


def only(stage=StageKind.SCORE, num_gpus=0.0, **changes):
    """A scheduler with one running task, and that task."""
    each = replace(task(stage, num_gpus=num_gpus), **changes)
    state = scheduler({each.key: each}, [each.key])
    state.start(frozenset(), {})
    return state, each


def in_a_row(count):
    return {each.key: each for each in (task(StageKind.SCORE, number) for number in range(count))}
