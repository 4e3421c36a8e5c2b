"""Errors as Ray 2.60 words them; that it raises them is seen in `test_backend`."""

import pytest
from backend_suite import attempt
from plain_tasks import plain_tasks
from ray import exceptions

from jobs.outcome import Cause
from orchestrator.backends.ray_cluster.losses import cause_of, failures, nodes_of

NODE = "fd232c61c5d585f95a0b149224b8daafe509dbddc10c72e9e2fd0e43"
NODE_DIED = exceptions.NodeDiedError(
    f"Task failed because the node it was running on is dead or unavailable. Node IP: 192.0.2.7, node ID: {NODE}. "
    "This can happen if the node was preempted, had a hardware failure, or its raylet crashed unexpectedly."
)
OUT_OF_MEMORY = exceptions.OutOfMemoryError(
    f"Task was killed due to the node running low on memory.\nMemory on the node (IP: 192.0.2.7, ID: {NODE}) where "
    "the lease (lease ID: 01ff, name=work, pid=7, memory used=0.05GB) was running was 7.3GB / 7.4GB (0.98)"
)


def bundle(size):
    return [attempt(task) for task in plain_tasks(size).values()]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (NODE_DIED, Cause.PREEMPTED),
        (OUT_OF_MEMORY, Cause.OUT_OF_MEMORY),
        (exceptions.WorkerCrashedError(), Cause.PREEMPTED),
        (exceptions.ObjectLostError("00", None, ""), Cause.PREEMPTED),
        (exceptions.TaskCancelledError(), Cause.CANCELLED),
        (exceptions.ObjectStoreFullError("full"), Cause.TRANSIENT),
        (exceptions.OutOfDiskError("full"), Cause.TRANSIENT),
        (exceptions.RuntimeEnvSetupError("no such package"), Cause.TRANSIENT),
        (exceptions.RayTaskError("work", "ModuleNotFoundError", ImportError()), Cause.BUG),
    ],
)
def test_each_error_of_ray_has_its_cause(error, cause):
    assert cause_of(error) is cause


@pytest.mark.parametrize("error", [NODE_DIED, OUT_OF_MEMORY])
def test_errors_name_the_node_and_the_host(error):
    assert nodes_of({"reference": error}) == {"reference": NODE}
    (failed,) = failures(bundle(1), error, node=NODE, host="")
    assert (failed.node, failed.host) == (NODE, "192.0.2.7")
    assert "\n" not in failed.message


def test_of_a_bundle_that_ran_out_of_memory_nobody_is_accused():
    assert {failed.cause for failed in failures(bundle(3), OUT_OF_MEMORY, node="", host="")} == {Cause.PREEMPTED}
    assert [failed.cause for failed in failures(bundle(1), OUT_OF_MEMORY, node="", host="")] == [Cause.OUT_OF_MEMORY]


def test_an_unknown_node_is_no_error():
    assert nodes_of({}) == {}


def test_an_error_on_a_worker_is_told_by_its_last_line_and_without_colours():
    text = "\x1b[36mray::work()\x1b[39m (pid=7)\nTraceback ...\nModuleNotFoundError: No module named 'nets'"
    error = exceptions.RayTaskError("work", text, ImportError())
    (failed,) = failures(bundle(1), error, node="", host="")
    assert failed.message == "ModuleNotFoundError: No module named 'nets'"
    assert failed.traceback.startswith("ray::work() (pid=7)")


def test_of_a_bundle_one_stands_for_the_process_that_was_lost():
    lost = failures(bundle(3), exceptions.WorkerCrashedError(), node=NODE, host="")
    assert [failed.together for failed in lost] == [False, True, True]
