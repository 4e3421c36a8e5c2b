from jobs.outcome import Cause, Failed, Succeeded
from orchestrator.scheduling.nodes import NodeHealth


def lost(key, node, cause=Cause.PREEMPTED, **changes):
    return Failed(key=key, cause=cause, message="lost", node=node, **changes)


def avoided(*outcomes):
    health = NodeHealth()
    for outcome in outcomes:
        health.observe(outcome)
    return health.avoided


def test_three_tasks_in_a_row_that_die_on_a_node_make_it_a_bad_one():
    assert avoided(lost("a", "n"), lost("b", "n")) == frozenset()
    assert avoided(lost("a", "n"), lost("b", "n"), lost("c", "n")) == {"n"}


def test_one_task_that_dies_three_times_is_not_the_nodes_fault():
    assert avoided(*[lost("a", "n")] * 3) == frozenset()


def test_a_success_between_clears_the_node():
    success = Succeeded(key="s", measurements={}, duration_s=1.0, node="n")
    assert avoided(lost("a", "n"), lost("b", "n"), success, lost("c", "n")) == frozenset()


def test_host_memory_counts_against_a_node_and_gpu_memory_does_not():
    out = [lost(key, "n", Cause.OUT_OF_MEMORY) for key in "abc"]
    assert avoided(*out) == {"n"}
    assert avoided(*(lost(key, "n", Cause.OUT_OF_MEMORY, on_gpu=True) for key in "abc")) == frozenset()


def test_a_node_that_is_unfit_for_one_task_after_another_is_a_bad_one():
    assert avoided(*(lost(key, "n", Cause.UNFIT_MACHINE) for key in "abc")) == {"n"}


def test_bugs_and_unknown_nodes_do_not_count():
    assert avoided(*(lost(key, "n", Cause.BUG) for key in "abc")) == frozenset()
    assert avoided(*(lost(key, "") for key in "abc")) == frozenset()


def test_a_process_that_takes_several_tasks_with_it_is_one_loss():
    assert avoided(lost("a", "n"), lost("b", "n", together=True), lost("c", "n", together=True)) == frozenset()
