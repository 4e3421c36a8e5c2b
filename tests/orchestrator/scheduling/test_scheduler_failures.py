"""What the scheduler does about faults, losses and damage."""

from dataclasses import replace

import pytest
from schedules import MEASURED, chain, failed, only, run_all, scheduler, succeeded, task

from jobs.outcome import Cause, Usage
from jobs.stages.table import StageKind
from jobs.task import joined_tasks
from orchestrator.scheduling.graph import TaskState
from orchestrator.scheduling.retry import RETRIES


@pytest.mark.parametrize("cause", [Cause.BUG, Cause.BAD_INPUT, Cause.BAD_NETWORK, Cause.BAD_NUMERICS])
def test_a_deterministic_fault_fails_once_and_blocks_only_its_dependants(cause):
    tasks, targets = chain([0, 1])
    broken = tasks[targets[0]].inputs["network"]
    state = scheduler(tasks, targets)
    ran = run_all(
        state,
        state.start(frozenset(), {}),
        lambda each: failed(each, cause) if each.key == broken else succeeded(each),
    )
    assert [each.key for each in ran].count(broken) == 1
    assert [state.state_of(key) for key in (broken, *targets)] == [
        TaskState.FAILED,
        TaskState.BLOCKED,
        TaskState.DONE,
    ]
    assert [failure.key for failure in state.failures] == [broken]


def race(count):
    """Trainings of pruned networks, and a race between them: pruned, trained and what compares them."""
    pruned = [task(StageKind.PRUNE, number=number) for number in range(count)]
    trained = [task(StageKind.TRAIN, inputs={"network": each.key}) for each in pruned]
    compared = task(StageKind.RACE, inputs={f"entrants.{number}": each.key for number, each in enumerate(trained)})
    return pruned, trained, compared


@pytest.mark.parametrize(
    ("cause", "ends"),
    [
        (Cause.BAD_INPUT, TaskState.DONE),
        (Cause.BAD_NUMERICS, TaskState.DONE),
        (Cause.BAD_NETWORK, TaskState.DONE),
        (Cause.BUG, TaskState.BLOCKED),
        (Cause.OUT_OF_MEMORY, TaskState.BLOCKED),
        (Cause.UNFIT_MACHINE, TaskState.BLOCKED),
    ],
)
@pytest.mark.parametrize("broken", ["pruned", "trained"])
def test_a_race_does_without_those_that_would_fail_in_every_run(cause, ends, broken):
    pruned, trained, compared = race(3)
    tasks = {each.key: each for each in (*pruned, *trained, compared)}
    state = scheduler(tasks, [compared.key, *(each.key for each in trained)])
    lost = {"pruned": pruned, "trained": trained}[broken][1].key
    ran = run_all(
        state,
        state.start(frozenset(), {}),
        lambda each: failed(each, cause) if each.key == lost else succeeded(each),
    )
    assert state.state_of(compared.key) is ends
    assert state.state_of(trained[2].key) is TaskState.DONE
    absent = [each.absent for each in ran if each.key == compared.key]
    assert absent == ([{trained[1].key}] if ends is TaskState.DONE else [])


def test_a_race_without_anybody_is_blocked():
    pruned, trained, compared = race(2)
    tasks = {each.key: each for each in (*pruned, *trained, compared)}
    state = scheduler(tasks, [compared.key])
    run_all(
        state,
        state.start(frozenset(), {}),
        lambda each: failed(each, Cause.BAD_INPUT) if each.stage is StageKind.TRAIN else succeeded(each),
    )
    assert state.state_of(compared.key) is TaskState.BLOCKED


@pytest.mark.parametrize("cause", [Cause.PREEMPTED, Cause.TRANSIENT, Cause.OUT_OF_MEMORY, Cause.UNFIT_MACHINE])
def test_a_fault_that_may_pass_is_retried_within_its_budget(cause):
    each = task(StageKind.SCORE)
    state = scheduler({each.key: each}, [each.key])
    submitted, attempts, now_s = state.start(frozenset(), {}), [], 0.0
    while submitted:
        attempts.append(submitted[0].number)
        now_s += 100.0  # longer than any back-off
        lost = failed(each, cause, node=f"node {len(attempts)}")
        submitted = state.step([lost], now_s) or state.step([], now_s + 100.0)
    assert attempts == list(range(1, RETRIES[cause] + 2))
    assert state.state_of(each.key) is TaskState.FAILED


def test_a_task_keeps_away_from_the_machines_that_are_unfit_for_it_and_others_do_not():
    each, other = (task(StageKind.SCORE, number) for number in range(2))
    state = scheduler({each.key: each, other.key: other}, [each.key, other.key], limit=1)
    state.start(frozenset(), {})
    (beside,) = state.step([failed(each, Cause.UNFIT_MACHINE, node="no mount")])
    assert state.decisions[each.key].avoid == ("no mount",)
    (again,) = state.step([succeeded(other)], now_s=100.0)
    assert (beside.task.key, beside.avoid) == (other.key, frozenset())
    assert (again.task.key, again.avoid) == (each.key, {"no mount"})


def test_a_machine_that_is_unfit_and_the_only_one_is_final_at_once():
    state, each = only()
    assert state.step([failed(each, Cause.UNFIT_MACHINE)]) == []
    assert state.state_of(each.key) is TaskState.FAILED
    assert state.decisions[each.key].reason == "there is no other machine"


def test_losses_with_progress_between_them_do_not_count():
    each = task(StageKind.TRAIN)
    state = scheduler({each.key: each}, [each.key])
    submitted = state.start(frozenset(), {})
    for _ in range(RETRIES[Cause.PREEMPTED] + 2):
        assert submitted
        submitted = state.step([replace(failed(each, Cause.PREEMPTED), progressed=True)])
    for _ in range(RETRIES[Cause.PREEMPTED] + 1):  # and from then on those without any do
        assert submitted
        submitted = state.step([failed(each, Cause.PREEMPTED)])
    assert (submitted, state.state_of(each.key)) == ([], TaskState.FAILED)


def test_a_loss_then_a_success_is_a_success():
    each = task(StageKind.SCORE)
    state = scheduler({each.key: each}, [each.key])
    state.start(frozenset(), {})
    state.step([failed(each, Cause.PREEMPTED)])
    state.step([succeeded(each)])
    assert (state.state_of(each.key), state.failures) == (TaskState.DONE, [])


def test_a_failed_order_task_blocks_the_permutation():
    tasks, targets = chain()
    state = scheduler(tasks, targets)
    run_all(
        state,
        state.start(frozenset(), {}),
        lambda each: failed(each, Cause.BUG) if getattr(each.params, "groups", None) == ("b",) else succeeded(each),
    )
    assert (state.state_of(targets[0]), state.finished) == (TaskState.BLOCKED, True)


def test_a_decision_is_told_for_every_attempt_that_failed_and_only_until_the_next_step():
    state, each = only()
    state.step([replace(failed(each, Cause.OUT_OF_MEMORY), usage=Usage(memory_bytes=3 * 2**30))])
    assert state.decisions[each.key].retry.resources.memory_bytes == 6 * 2**30
    state.step([failed(each, Cause.TRANSIENT)], now_s=10.0)
    assert state.wake_s == 10.0 + state.decisions[each.key].retry.delay_s
    assert state.step([], now_s=state.wake_s)
    assert state.decisions == {}
    state.step([failed(each, Cause.BUG)])
    assert state.decisions[each.key].final
    assert [failure.cause for failure in state.failures] == [Cause.BUG]


def test_the_decision_names_the_node_that_is_avoided_from_now_on():
    tasks = {each.key: each for each in (task(StageKind.SCORE, number) for number in range(4))}
    state = scheduler(tasks, list(tasks))
    state.start(frozenset(), {})
    lost = [replace(failed(each, Cause.PREEMPTED), node="bad") for each in tasks.values()]
    state.step(lost[:3])
    assert [state.decisions[each.key].avoid for each in lost[:3]] == [(), (), ("bad",)]


def test_a_transient_fault_waits_before_it_is_tried_again():
    state, each = only()
    assert state.step([failed(each, Cause.TRANSIENT)], now_s=10.0) == []
    assert 10.5 <= state.wake_s <= 11.5  # one second, jittered by a half
    assert not state.finished
    assert [attempt.number for attempt in state.step([], now_s=state.wake_s)] == [2]


def test_out_of_memory_asks_for_twice_of_what_was_used():
    state, each = only()
    failure = replace(failed(each, Cause.OUT_OF_MEMORY), usage=Usage(memory_bytes=3 * 2**30))
    (again,) = state.step([failure])
    assert again.resources.memory_bytes == 6 * 2**30


def test_out_of_gpu_memory_asks_for_a_larger_part_up_to_the_whole_gpu_and_then_fails_alone():
    state, each = only(StageKind.TUNE, num_gpus=0.25)
    failure = replace(failed(each, Cause.OUT_OF_MEMORY), on_gpu=True)
    asked = []
    while again := state.step([failure]):
        asked.append(again[0].resources.num_gpus)
    assert asked == [0.5, 1.0]
    assert state.state_of(each.key) is TaskState.FAILED


def test_a_node_that_kills_one_task_after_another_is_avoided():
    tasks = {each.key: each for each in (task(StageKind.SCORE, number) for number in range(4))}
    state = scheduler(tasks, list(tasks))
    state.start(frozenset(), {})
    lost = [replace(failed(each, Cause.PREEMPTED), node="bad") for each in tasks.values()]
    assert [attempt.avoid for attempt in state.step(lost[:2])] == [frozenset(), frozenset()]
    assert [attempt.avoid for attempt in state.step(lost[2:3])] == [frozenset({"bad"})]


def test_a_damaged_input_is_made_again_and_its_reader_waits_for_it():
    tasks, targets = chain()
    prune = tasks[targets[0]].inputs["network"]
    state = scheduler(tasks, targets)
    (evaluate,) = state.start(frozenset({prune}), {})
    damaged = replace(failed(evaluate.task, Cause.CORRUPT), damaged=prune)
    # The pruned network is gone, and nothing that it is made from was needed until now.
    submitted = state.step([damaged])
    assert [attempt.task.stage for attempt in submitted] == [StageKind.TRAIN]
    ran = run_all(state, submitted)
    assert [each.stage for each in ran][-3:] == [StageKind.PERMUTE, StageKind.PRUNE, StageKind.EVALUATE]
    assert state.complete


def test_a_damaged_input_whose_own_inputs_are_there_costs_one_task():
    tasks, targets = chain()
    permute = next(each for each in tasks.values() if each.stage is StageKind.PERMUTE)
    convert = permute.inputs["network"]
    prune = tasks[targets[0]].inputs["network"]
    present = frozenset({convert, permute.key, prune, *(each.key for each in joined_tasks(permute, MEASURED))})
    state = scheduler(tasks, targets)
    (evaluate,) = state.start(present, {convert: MEASURED})
    ran = run_all(state, state.step([replace(failed(evaluate.task, Cause.CORRUPT), damaged=prune)]))
    assert [each.key for each in ran] == [prune, targets[0]]


def test_a_reader_that_finds_the_same_damage_again_and_again_waits_longer_every_time():
    """Its machine may see for a while what was there before, while the artifact is whole everywhere else."""
    source, now_s, waited = task(StageKind.SCORE), 0.0, []
    reader = task(StageKind.PRUNE, inputs={"scores": source.key})
    state = scheduler({source.key: source, reader.key: reader}, [reader.key])
    (attempt,) = state.start(frozenset({source.key}), {})
    for _ in range(RETRIES[Cause.CORRUPT]):
        (again,) = state.step([replace(failed(attempt.task, Cause.CORRUPT), damaged=source.key)], now_s)
        assert state.step([succeeded(again.task, reused=True)], now_s) == []
        waited.append(state.wake_s - now_s)
        now_s = state.wake_s
        (attempt,) = state.step([], now_s)
        assert attempt.task is reader
    assert all(0.5 <= wait / 2.0**index < 1.5 for index, wait in enumerate(waited))
    state.step([replace(failed(reader, Cause.CORRUPT), damaged=source.key)], now_s)
    assert state.state_of(reader.key) is TaskState.FAILED


def test_a_damaged_artifact_of_nobody_is_a_failure():
    state, each = only()
    assert state.step([replace(failed(each, Cause.CORRUPT), damaged="ff")]) == []
    assert state.state_of(each.key) is TaskState.FAILED


def test_a_task_that_was_asked_to_stop_has_not_failed():
    state, each = only()
    assert state.step([failed(each, Cause.CANCELLED)]) == []
    assert (state.failures, state.complete) == ([], False)
    assert state.state_of(each.key) is TaskState.READY


def test_a_stopped_scheduler_leaves_what_was_cut_short_for_the_next_run():
    state, each = only()
    state.stop("cancelled")
    state.step([failed(each, Cause.CANCELLED)])
    assert state.decisions[each.key].reason == "the run was stopped (cancelled)"
    assert (state.finished, state.failures, state.complete) == (True, [], False)
    assert state.state_of(each.key) is TaskState.READY
