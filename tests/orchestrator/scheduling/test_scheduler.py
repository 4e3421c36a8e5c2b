from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedules import MEASURED, chain, failed, in_a_row, run_all, scheduler, succeeded, task

from jobs.outcome import Cause, Succeeded, Usage
from jobs.resources import Resources
from jobs.stages.table import StageKind
from jobs.task import joined_tasks
from orchestrator.scheduling.graph import TaskState
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.scheduling.spending import Caps, Spending


def test_a_task_runs_when_its_inputs_are_there():
    tasks, targets = chain()
    ran = run_all(state := scheduler(tasks, targets), state.start(frozenset(), {}))
    assert [each.stage.value for each in ran] == ["train", "convert", *["order"] * 3, "permute", "prune", "evaluate"]
    assert state.finished
    assert not state.failures


def test_order_tasks_start_largest_first():
    tasks, targets = chain()
    ran = run_all(state := scheduler(tasks, targets), state.start(frozenset(), {}))
    assert [each.params.groups for each in ran if each.stage is StageKind.ORDER] == [("b",), ("c",), ("a",)]


def test_no_more_is_in_flight_than_the_limit():
    tasks, targets = chain(range(20))
    state = scheduler(tasks, targets, limit=3)
    queue, most = [command.task for command in state.start(frozenset(), {})], 0
    while queue:
        most = max(most, state.in_flight)
        queue += [command.task for command in state.step([succeeded(queue.pop(0))])]
    assert (most, state.finished) == (3, True)


def test_cpu_work_goes_on_while_all_gpus_are_busy():
    gpu = [task(StageKind.TRAIN, number, num_gpus=1.0) for number in range(5)]
    cpu = [task(StageKind.SCORE, number) for number in range(5)]
    tasks = {each.key: each for each in gpu + cpu}
    state = Scheduler(tasks, list(tasks), limits={Lane.GPU: 2, Lane.CPU: 3})
    submitted = [command.task.resources.num_gpus for command in state.start(frozenset(), {})]
    assert sorted(submitted) == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_nothing_runs_when_every_target_is_present():
    tasks, targets = chain([0, 1])
    state = scheduler(tasks, targets)
    assert state.start(frozenset(targets), {}) == []
    assert state.finished
    assert state.counts[StageKind.EVALUATE, TaskState.REUSED] == 2


def test_what_no_missing_result_needs_is_not_run():
    tasks, targets = chain([0, 1])
    prune = tasks[targets[1]].inputs["network"]
    state = scheduler(tasks, targets)
    ran = run_all(state, state.start(frozenset({targets[0], prune}), {}))
    assert [each.key for each in ran] == [targets[1]]


def test_committed_orders_are_not_run_again():
    tasks, targets = chain()
    convert = next(each for each in tasks.values() if each.stage is StageKind.CONVERT)
    permute = next(each for each in tasks.values() if each.stage is StageKind.PERMUTE)
    orders = joined_tasks(permute, MEASURED)
    state = scheduler(tasks, targets)
    present = frozenset({convert.key, orders[0].key, orders[1].key})
    ran = run_all(state, state.start(present, {convert.key: MEASURED}))
    assert [each.key for each in ran[:2]] == [orders[2].key, permute.key]


def test_a_network_without_groups_is_permuted_at_once():
    tasks, targets = chain()

    def without_groups(each):
        measurements = {"groups": []} if each.stage is StageKind.CONVERT else {}
        return Succeeded(key=each.key, measurements=measurements, duration_s=1.0)

    state = scheduler(tasks, targets)
    run_all(state, state.start(frozenset(), {}), without_groups)
    assert state.state_of(targets[0]) is TaskState.DONE


def test_a_stopped_scheduler_waits_for_what_runs_and_submits_nothing():
    tasks, targets = chain()
    state = scheduler(tasks, targets)
    (first,) = state.start(frozenset(), {})
    state.stop("enough")
    assert not state.finished
    assert state.step([succeeded(first.task)]) == []
    assert state.finished


def test_an_outcome_that_comes_twice_changes_nothing():
    tasks, targets = chain()
    state = scheduler(tasks, targets)
    (first,) = state.start(frozenset(), {})
    state.step([succeeded(first.task)])
    counts = dict(state.counts)
    assert state.step([succeeded(first.task)]) == []
    assert state.step([failed(first.task, Cause.BUG)]) == []
    assert dict(state.counts) == counts


def test_what_a_committed_source_has_measured_must_be_told():
    tasks, targets = chain()
    convert = next(each for each in tasks.values() if each.stage is StageKind.CONVERT)
    with pytest.raises(KeyError):
        scheduler(tasks, targets).start(frozenset({convert.key}), {})


def test_the_longest_way_goes_first():
    tasks, targets = chain()
    loose = task(StageKind.TRAIN, 1)  # a training that nothing follows
    tasks = {loose.key: loose, **tasks}
    state = scheduler(tasks, [loose.key, *targets], limit=1)
    (first,) = state.start(frozenset(), {})
    assert first.task.key != loose.key


def test_the_gpu_cap_stops_submitting_and_says_so():
    tasks = {each.key: each for each in (task(StageKind.TRAIN, number, num_gpus=1.0) for number in range(9))}
    spending = Spending(Caps(gpu_s=3600.0))
    limits = dict.fromkeys(Lane, 1)
    state = Scheduler(tasks, list(tasks), limits=limits, spending=spending)
    ran, submitted = 0, state.start(frozenset(), {})
    while submitted:
        ran += 1
        submitted = state.step([replace(succeeded(submitted[0].task), duration_s=1000.0)])
    # After three of 1,000 s a fourth is expected to end beyond the 3,600 s.
    assert (ran, state.finished, state.complete) == (3, True, False)
    assert "gpu_hours" in state.stopped


def test_the_wall_cap_stops_submitting():
    tasks = {each.key: each for each in (task(StageKind.SCORE, number) for number in range(3))}
    spending = Spending(Caps(wall_s=60.0))
    limits = dict.fromkeys(Lane, 1)
    state = Scheduler(tasks, list(tasks), limits=limits, spending=spending)
    (first,) = state.start(frozenset(), {}, now_s=0.0)
    assert state.step([succeeded(first.task)], now_s=61.0) == []
    assert (state.finished, "wall_hours" in state.stopped) == (True, True)


def test_what_like_tasks_needed_of_a_gpu_is_what_the_next_asks_for():
    asked = Resources(num_gpus=0.25, adaptive=True)
    both = [replace(task(StageKind.EVALUATE, number), resources=asked, family="net") for number in range(2)]
    tasks = {each.key: each for each in both}
    state = Scheduler(tasks, list(tasks), limits=dict.fromkeys(Lane, 0.25))
    (first,) = state.start(frozenset(), {})
    (second,) = state.step([replace(succeeded(first.task), usage=Usage(gpu_fraction=0.07))])
    assert second.resources.num_gpus == 2 / 16  # 0.07 and a quarter more, in sixteenths


@settings(max_examples=200, deadline=None)
@given(data=st.data(), numbers=st.integers(1, 4), limit=st.integers(1, 4))
def test_whatever_happens_in_whatever_order_the_sweep_ends_true_to_what_happened(data, numbers, limit):
    """Interleavings of success, failure and loss: each task ends once, and blocked exactly where an input failed."""
    tasks, targets = chain(range(numbers))
    state = scheduler(tasks, targets, limit=limit)
    running = [command.task for command in state.start(frozenset(), {})]
    done, broken, all_tasks = set(), set(), dict(tasks)
    while running:
        assert state.in_flight == len(running) <= limit
        each = running.pop(data.draw(st.integers(0, len(running) - 1)))
        all_tasks[each.key] = each
        assert set(each.inputs.values()) <= done  # nothing starts before its inputs
        assert each.key not in done | broken  # nothing runs after it has ended
        fate = data.draw(st.sampled_from(["success"] * 6 + ["loss", "bug"]))
        if fate == "success":
            outcome = succeeded(each)
        else:
            outcome = failed(each, Cause.PREEMPTED if fate == "loss" else Cause.BUG)
        running += [command.task for command in state.step([outcome])]
        if state.state_of(each.key) is TaskState.DONE:
            done.add(each.key)
        elif state.state_of(each.key) is TaskState.FAILED:
            broken.add(each.key)
    assert state.finished
    assert {failure.key for failure in state.failures} == broken
    for key in targets:
        assert state.state_of(key) in {TaskState.DONE, TaskState.FAILED, TaskState.BLOCKED}
        if not broken:
            assert state.state_of(key) is TaskState.DONE
    open_states = (TaskState.WAITING, TaskState.READY, TaskState.RUNNING)
    assert all(state.counts[stage, each] == 0 for stage in StageKind for each in open_states)


def test_others_are_submitted_in_place_of_tasks_that_are_left_to_another_sweep():
    tasks = in_a_row(4)
    state = scheduler(tasks, list(tasks), limit=2)
    first, _ = state.start(frozenset(), {})
    assert [each.task.key for each in state.leave({first.task.key: "other"})] == [list(tasks)[2]]
    assert (state.in_flight, state.elsewhere) == (2, {first.task.key: "other"})
    assert state.counts[StageKind.SCORE, TaskState.ELSEWHERE] == 1
    assert state.demand[Lane.CPU] == 3  # what another computes needs no slots of ours


def test_what_another_sweep_has_stored_is_a_cache_hit_and_reveals_what_follows():
    tasks, targets = chain()
    state = scheduler(tasks, targets)
    (train,) = state.start(frozenset(), {})
    assert state.leave({train.task.key: "other"}) == []
    assert not state.finished
    (convert,) = state.step([succeeded(train.task, reused=True)], elsewhere={})
    assert state.leave({convert.task.key: "other"}) == []
    orders = state.step([succeeded(convert.task, reused=True)], elsewhere={})
    assert [each.task.stage for each in orders] == [StageKind.ORDER] * 3
    assert state.counts[StageKind.TRAIN, TaskState.REUSED] == 1


def test_what_no_other_sweep_computes_any_more_is_submitted_again_and_what_another_took_over_is_not():
    tasks = in_a_row(2)
    state = scheduler(tasks, list(tasks))
    one, two = [each.task.key for each in state.start(frozenset(), {})]
    state.leave({one: "dead", two: "dead"})
    assert state.step([]) == []
    (again,) = state.step([], elsewhere={two: "heir"})
    assert (again.task.key, again.number) == (one, 1)
    assert state.elsewhere == {two: "heir"}


def test_a_stopped_run_does_not_wait_for_others():
    tasks = in_a_row(1)
    state = scheduler(tasks, list(tasks))
    (attempt,) = state.start(frozenset(), {})
    state.leave({attempt.task.key: "other"})
    state.stop("enough")
    assert (state.finished, state.complete) == (True, False)


def test_gpus_reserved_for_what_is_left_to_others_are_free_again():
    each = task(StageKind.TUNE, num_gpus=1.0)
    spending = Spending(Caps(gpu_s=100.0))
    state = Scheduler({each.key: each}, [each.key], limits=dict.fromkeys(Lane, 1), spending=spending)
    (attempt,) = state.start(frozenset(), {})
    state.leave({attempt.task.key: "other"})
    assert (spending.reserved_gpu_s, spending.gpu_s, state.demand[Lane.GPU]) == (0.0, 0.0, 0.0)


def test_nothing_is_demanded_where_nothing_is_left():
    asked = Resources(num_gpus=0.3)
    tasks = {each.key: replace(each, resources=asked) for each in (task(StageKind.SCORE, n) for n in range(3))}
    state = scheduler(tasks, list(tasks))
    run_all(state, state.start(frozenset(), {}))
    assert state.demand == dict.fromkeys(Lane, 0.0)  # sums of 0.3 leave something below it
