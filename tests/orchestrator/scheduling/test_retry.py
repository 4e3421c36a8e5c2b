import pytest

from jobs.outcome import Cause, Failed, Usage
from jobs.resources import Resources
from orchestrator.scheduling.retry import RETRIES, backoff_s, retry_after

GIB = 2**30


def failure(cause, **changes):
    return Failed(key="k", cause=cause, message="no", **changes)


@pytest.mark.parametrize("cause", [Cause.BUG, Cause.BAD_INPUT, Cause.BAD_NETWORK, Cause.BAD_NUMERICS, Cause.CANCELLED])
def test_what_would_fail_again_is_final_at_once(cause):
    assert retry_after(failure(cause), count=1, asked=Resources()) is None


@pytest.mark.parametrize("cause", list(RETRIES))
def test_each_cause_has_a_budget_of_its_own(cause):
    on_a_node = failure(cause, node="n")
    assert retry_after(on_a_node, count=RETRIES[cause], asked=Resources()) is not None
    assert retry_after(on_a_node, count=RETRIES[cause] + 1, asked=Resources()) is None


def test_an_unfit_machine_may_be_mended_where_there_is_a_cluster_and_is_the_only_one_elsewhere():
    unfit = failure(Cause.UNFIT_MACHINE, node="n")
    assert retry_after(unfit, count=2, asked=Resources()).delay_s == backoff_s("k", 2)
    assert retry_after(failure(Cause.UNFIT_MACHINE), count=1, asked=Resources()) is None


def test_a_lost_worker_is_replaced_without_waiting():
    assert retry_after(failure(Cause.PREEMPTED), count=5, asked=Resources()).delay_s == 0.0


def test_what_may_pass_by_itself_is_waited_for():
    waits = {cause: retry_after(failure(cause, node="n"), count=3, asked=Resources()).delay_s for cause in RETRIES}
    assert {cause for cause, wait in waits.items() if wait} == {Cause.TRANSIENT, Cause.CORRUPT, Cause.UNFIT_MACHINE}


def test_the_wait_doubles_is_jittered_and_bounded():
    waits = [backoff_s("k", count) for count in range(1, 12)]
    for index, wait in enumerate(waits):
        assert 0.5 <= wait / min(60.0, 2.0**index) < 1.5
    assert backoff_s("k", 3) == backoff_s("k", 3) != backoff_s("other", 3)


def test_memory_is_doubled_from_the_larger_of_what_was_asked_and_used():
    asked = Resources(memory_bytes=4 * GIB)
    used = failure(Cause.OUT_OF_MEMORY, usage=Usage(memory_bytes=6 * GIB))
    assert retry_after(used, count=1, asked=asked).resources.memory_bytes == 12 * GIB
    assert retry_after(failure(Cause.OUT_OF_MEMORY), count=1, asked=asked).resources.memory_bytes == 8 * GIB


def test_no_more_memory_is_asked_than_the_largest_node_has():
    out = failure(Cause.OUT_OF_MEMORY)
    retry = retry_after(out, count=1, asked=Resources(memory_bytes=9 * GIB), memory_limit_bytes=16 * GIB)
    assert retry.resources.memory_bytes == 16 * GIB
    assert retry_after(out, count=2, asked=retry.resources, memory_limit_bytes=16 * GIB) is None


def test_a_whole_gpu_that_was_too_small_is_final():
    out = failure(Cause.OUT_OF_MEMORY, on_gpu=True)
    assert retry_after(out, count=1, asked=Resources(num_gpus=0.75)).resources.num_gpus == 1.0
    assert retry_after(out, count=1, asked=Resources(num_gpus=1.0)) is None
