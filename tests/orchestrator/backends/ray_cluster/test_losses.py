"""Errors as Ray 2.60 words them; that it raises them is seen in `test_backend`."""

import time
from types import SimpleNamespace

import pytest
from backend_suite import attempt
from plain_tasks import plain_tasks
from ray import exceptions
from ray.core.generated.common_pb2 import TaskStatus
from ray.core.generated.gcs_pb2 import TaskStateUpdate

from jobs.outcome import Cause
from orchestrator.backends.ray_cluster import losses
from orchestrator.backends.ray_cluster.losses import Run, cancelled, cause_of, failures, runs_of

NODE = "fd232c61c5d585f95a0b149224b8daafe509dbddc10c72e9e2fd0e43"
NODE_DIED = exceptions.NodeDiedError(
    f"Task failed because the node it was running on is dead or unavailable. Node IP: 192.0.2.7, node ID: {NODE}. "
    "This can happen if the node was preempted, had a hardware failure, or its raylet crashed unexpectedly."
)
OUT_OF_MEMORY = exceptions.OutOfMemoryError(
    f"Task was killed due to the node running low on memory.\nMemory on the node (IP: 192.0.2.7, ID: {NODE}) where "
    "the lease (lease ID: 01ff, name=work, pid=7, memory used=0.05GB) was running was 7.3GB / 7.4GB (0.98)"
)


@pytest.fixture
def head(monkeypatch):
    """What Ray's head says of Ray tasks, one answer after the other."""
    told = {}
    monkeypatch.setattr(losses, "init_grpc_channel", lambda address: None)
    monkeypatch.setattr(losses.ray, "get_runtime_context", lambda: SimpleNamespace(gcs_address=""))
    monkeypatch.setattr(losses, "_ask", lambda channel, reference, *times: told[reference].pop(0))
    return told


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
def test_errors_name_the_node_and_the_host(error, head):
    head["reference"] = [Run(duration_s=7.0)]
    assert runs_of({"reference": error}) == {"reference": Run(node=NODE, duration_s=7.0)}
    (failed,) = failures(bundle(1), error, Run(node=NODE), host="")
    assert (failed.node, failed.host) == (NODE, "192.0.2.7")
    assert "\n" not in failed.message


def test_of_a_bundle_that_ran_out_of_memory_nobody_is_accused():
    assert {failed.cause for failed in failures(bundle(3), OUT_OF_MEMORY, Run(), host="")} == {Cause.PREEMPTED}
    assert [failed.cause for failed in failures(bundle(1), OUT_OF_MEMORY, Run(), host="")] == [Cause.OUT_OF_MEMORY]


def test_where_only_the_worker_died_the_head_is_asked_until_it_knows_the_node(head):
    run = Run(node=NODE, duration_s=7.0)
    head["crashed"], head["full"] = [Run(), run], [Run()]
    errors = {"crashed": exceptions.WorkerCrashedError(), "full": exceptions.OutOfDiskError("full")}
    assert runs_of(errors) == {"crashed": run, "full": Run()}


def test_an_unknown_node_is_no_error(head):
    assert runs_of({}) == {}
    head["reference"] = []  # an answer that nobody foresaw
    assert runs_of({"reference": exceptions.WorkerCrashedError()}) == {"reference": Run()}


def test_a_run_begins_as_the_task_leaves_for_a_worker():
    left = {TaskStatus.PENDING_NODE_ASSIGNMENT: 10**9, TaskStatus.SUBMITTED_TO_WORKER: 5 * 10**9}
    assert losses._run(TaskStateUpdate(state_ts_ns=left), ended_s=7.0) == Run(duration_s=2.0)
    waiting = {TaskStatus.PENDING_NODE_ASSIGNMENT: 10**9}
    assert losses._run(TaskStateUpdate(state_ts_ns=waiting), ended_s=time.time()) == Run()


def test_of_lost_time_the_first_of_a_bundle_has_all():
    run = Run(node=NODE, duration_s=7.0)
    lost = failures(bundle(3), exceptions.WorkerCrashedError(), run, host="")
    assert [failed.duration_s for failed in lost] == [7.0, 0.0, 0.0]
    forced = cancelled(bundle(3), run)
    assert [failed.duration_s for failed in forced] == [7.0, 0.0, 0.0]
    assert {failed.cause for failed in forced} == {Cause.CANCELLED}


def test_an_error_on_a_worker_is_told_by_its_last_line_and_without_colours():
    text = "\x1b[36mray::work()\x1b[39m (pid=7)\nTraceback ...\nModuleNotFoundError: No module named 'nets'"
    error = exceptions.RayTaskError("work", text, ImportError())
    (failed,) = failures(bundle(1), error, Run(), host="")
    assert failed.message == "ModuleNotFoundError: No module named 'nets'"
    assert failed.traceback.startswith("ray::work() (pid=7)")


def test_of_a_bundle_one_stands_for_the_process_that_was_lost():
    lost = failures(bundle(3), exceptions.WorkerCrashedError(), Run(node=NODE), host="")
    assert [failed.together for failed in lost] == [False, True, True]
