"""The Ray backend on a real Ray of two machines, one for all tests of this file."""

import os
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import plain_tasks
import pytest
import ray
from backend_suite import BackendSuite, attempt, drain
from plain_tasks import plain_task
from ray.cluster_utils import Cluster

from jobs.outcome import Cause, Failed, Succeeded
from jobs.resources import Resources
from jobs.stages.table import StageKind
from orchestrator.backends.ray_cluster import RayBackend
from orchestrator.backends.ray_cluster.worker import WorkerConfig, execute
from orchestrator.store import Lease, open_store
from workers.attempt.entry import Provenance
from workers.stages import Product

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

# Workers cannot import this file: what it defines travels by value.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

HEAD = {"num_cpus": 2, "include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
QUICK_TO_NOTICE = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300}
"""Lost nodes are struck off after a second, not after fifteen."""


def do(task, config):
    """Runs a stage that does what its task's params say."""

    def stage(context):
        match task.params.do:
            case "exit":
                os._exit(1)
            case "be killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "be told to end":
                os.kill(os.getpid(), signal.SIGTERM)
                while True:
                    context.poll()
                    time.sleep(0.05)
            case "raise":
                raise RuntimeError("a bug")
            case "break the GPU":
                raise RuntimeError(f"CUDA error: device-side assert triggered in process {os.getpid()}")
            case "sleep":
                Path(task.params.started).touch()
                time.sleep(600)
        return Product(measurements={"pid": os.getpid(), "gpus": os.environ.get("CUDA_VISIBLE_DEVICES")})

    if task.params.do == "raise outside":
        raise RuntimeError("outside of run_task")
    return execute(task, config, stage_of=lambda kind: stage)


@pytest.fixture(scope="module")
def cluster():
    with tempfile.TemporaryDirectory(prefix="orchard-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("HOME", folder)
        patch.setenv("PYTHONPATH", str(Path(plain_tasks.__file__).parent))  # workers import the parameters of tasks
        cluster = Cluster(initialize_head=True, head_node_args={**HEAD, "_system_config": QUICK_TO_NOTICE})
        cluster.add_node(num_cpus=2)
        patch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def backend(cluster):
    with tempfile.TemporaryDirectory(prefix="orchard-") as folder:
        backend = RayBackend(f"{folder}/store", Provenance(git_commit="abc"), execute=do)
        yield backend
        backend.close()


@pytest.fixture
def third_node(cluster):
    """A machine that comes for one test."""
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield node
    if node in cluster.worker_nodes:
        cluster.remove_node(node, allow_graceful=False)


def doing(what: str, number: int = 0, **params):
    return plain_task(StageKind.SCORE, do=what, n=number, **params)


def sleeping(tmp_path, number: int = 0):
    return doing("sleep", number, started=str(tmp_path / f"started-{number}"))


def await_start(tmp_path, count: int):
    for _ in range(600):
        if len(list(tmp_path.glob("started-*"))) >= count:
            return
        time.sleep(0.05)
    raise AssertionError("the tasks did not start")


def alive() -> set[str]:
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def tiny(tasks):
    return [attempt(task, expected_s=0.001) for task in tasks]


class TestRayBackend(BackendSuite):
    @pytest.fixture
    def task(self, request):
        return lambda index: doing(request.node.name, index)

    @pytest.fixture
    def lasting(self, tmp_path):
        return lambda index: sleeping(tmp_path, index)

    @pytest.fixture
    def broken(self):
        return lambda index: doing("raise", index)


@pytest.mark.parametrize("death", ["exit", "be killed"])
def test_a_worker_that_dies_is_a_preemption_on_its_node_and_others_go_on(backend, death):
    others = [doing(f"beside {death}", number) for number in range(8)]
    backend.submit([attempt(doing(death)), *map(attempt, others)])
    outcomes = {outcome.key: outcome for outcome in drain(backend, 9)}
    lost = outcomes.pop(doing(death).key)
    assert (type(lost), lost.cause) == (Failed, Cause.PREEMPTED)
    assert lost.node in alive()
    assert lost.host
    assert {type(each) for each in outcomes.values()} == {Succeeded}


def test_a_worker_that_is_told_to_end_hands_its_task_over(backend):
    backend.submit([attempt(doing("be told to end"))])
    (outcome,) = drain(backend, 1)
    assert (outcome.cause, "told to end (SIGTERM)" in outcome.message) == (Cause.PREEMPTED, True)


def test_an_outcome_names_its_node(backend):
    backend.submit([attempt(doing("name the node"))])
    assert drain(backend, 1)[0].node in alive()


def test_tiny_attempts_share_a_process_and_each_comes_back(backend):
    tasks = [doing("tiny", number) for number in range(80)]
    backend.submit(tiny(tasks))
    outcomes = drain(backend, 80)
    assert sorted(outcome.key for outcome in outcomes) == sorted(task.key for task in tasks)
    assert {type(outcome) for outcome in outcomes} == {Succeeded}


def test_the_attempts_of_a_lost_bundle_are_preempted_and_then_found_committed(backend):
    tasks = [doing("in one bundle", number) for number in range(16)]
    backend.submit(tiny([*tasks[:8], doing("exit", 1), *tasks[8:]]))
    outcomes = drain(backend, 17)
    lost = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert {outcome.cause for outcome in lost} == {Cause.PREEMPTED}
    again = [task for task in tasks if task.key in {outcome.key for outcome in lost}]
    backend.submit([attempt(task, number=2) for task in again])
    assert {type(outcome) for outcome in drain(backend, len(again))} <= {Succeeded}


def test_a_bug_in_a_bundle_is_that_attempts_alone(backend):
    tasks = [doing("beside a bug", number) for number in range(40)]
    backend.submit(tiny([*tasks, doing("raise", 3), doing("raise outside", 3)]))
    outcomes = {outcome.key: outcome for outcome in drain(backend, 42)}
    failed = {key for key, outcome in outcomes.items() if isinstance(outcome, Failed)}
    assert failed == {doing("raise", 3).key, doing("raise outside", 3).key}


def test_a_bug_comes_back_with_its_log(backend):
    backend.submit([attempt(doing("raise", 7))])
    (outcome,) = drain(backend, 1)
    assert outcome.cause is Cause.BUG
    assert "RuntimeError: a bug" in Path(outcome.log).read_text()


def test_an_error_outside_of_the_task_is_an_outcome_too(backend):
    backend.submit([attempt(doing("raise outside"))])
    (outcome,) = drain(backend, 1)
    assert (type(outcome), outcome.cause) == (Failed, Cause.BUG)


@pytest.fixture
def gpu_node(cluster):
    """A machine that says that it has a GPU."""
    node = cluster.add_node(num_cpus=1, num_gpus=1)
    cluster.wait_for_nodes()
    yield node
    cluster.remove_node(node, allow_graceful=False)


@pytest.mark.usefixtures("gpu_node")
def test_an_error_that_stays_with_its_process_ends_it_and_the_next_task_gets_another(backend):
    outcomes = []
    for what in ("before the GPU breaks", "break the GPU", "after the GPU broke"):
        backend.submit([attempt(plain_task(StageKind.SCORE, do=what, resources=Resources(num_gpus=1.0)))])
        outcomes += drain(backend, 1)
    before, broken, after = outcomes
    assert (broken.cause, broken.sticky) == (Cause.UNFIT_MACHINE, True)
    assert broken.node in alive()
    assert broken.message.endswith(f"in process {before.measurements['pid']}")
    assert before.measurements["pid"] != after.measurements["pid"]


def test_a_cpu_task_sees_no_gpu(backend):
    backend.submit([attempt(doing("look"))])
    assert drain(backend, 1)[0].measurements["gpus"] == ""


def test_the_work_is_done_in_another_process(backend):
    backend.submit([attempt(doing("work"))])
    assert drain(backend, 1)[0].measurements["pid"] != os.getpid()


def test_attempts_keep_away_from_the_nodes_that_they_avoid(backend):
    bad = min(alive())
    backend.submit([attempt(doing("avoid", number), avoid=frozenset({bad})) for number in range(8)])
    assert bad not in {outcome.node for outcome in drain(backend, 8)}


def test_where_every_node_is_to_be_avoided_none_is(backend):
    backend.submit([attempt(doing("avoid all", number), avoid=frozenset(alive())) for number in range(4)])
    assert {type(outcome) for outcome in drain(backend, 4)} == {Succeeded}


def test_a_lost_node_preempts_what_ran_on_it_and_all_else_goes_on(backend, cluster, third_node, tmp_path):
    others = frozenset(alive() - {third_node.node_id})
    runs, waits = sleeping(tmp_path), doing("wait for the third node")
    backend.submit([attempt(runs, avoid=others)])
    await_start(tmp_path, 1)
    rest = [doing("beside a lost node", number) for number in range(8)]
    backend.submit([attempt(waits, avoid=others), *map(attempt, rest)])
    cluster.remove_node(third_node, allow_graceful=False)
    outcomes = {outcome.key: outcome for outcome in drain(backend, 10)}
    lost = outcomes.pop(runs.key)
    assert (lost.cause, lost.node) == (Cause.PREEMPTED, third_node.node_id)
    assert lost.duration_s > 0
    # Also what had to avoid every node that is left.
    assert {key: type(each) for key, each in outcomes.items()} == dict.fromkeys(outcomes, Succeeded)


def test_what_runs_goes_on_where_a_node_that_it_avoids_is_lost(backend, cluster, third_node, tmp_path):
    backend.submit([attempt(sleeping(tmp_path), avoid=frozenset({third_node.node_id}))])
    await_start(tmp_path, 1)
    (runs,) = backend._flights
    cluster.remove_node(third_node, allow_graceful=False)
    while third_node.node_id in alive():
        time.sleep(0.1)
    backend._reviewed_s = float("-inf")
    assert backend.wait(0.1) == []
    assert list(backend._flights) == [runs]
    backend.cancel()
    assert drain(backend, 1)[0].duration_s > 1.0  # so long it takes until a lost node is struck off


def test_the_workers_of_a_driver_that_lost_its_sweep_commit_nothing(backend, cluster, tmp_path):
    store = open_store(tmp_path / "store")
    config = WorkerConfig(storage=store.uri, provenance=Provenance(), term=Lease.acquire(store.files, "sweep").term)
    task = doing("commit late")
    follow = ray.remote(lambda: store.files.create(replace(config.term, number=2).path, b"{}"))
    before, after = (ray.remote(lambda: do(task, config)) for _ in range(2))
    assert isinstance(ray.get(before.remote()), Succeeded)
    store.files.delete(f"manifests/{task.key[:2]}/{task.key}.json")
    ray.get(follow.remote())
    outcome = ray.get(after.remote())
    assert (type(outcome), outcome.cause) == (Failed, Cause.CANCELLED)
    assert not store.has(task.key)


def test_cancel_kills_what_runs_and_what_waits_never_starts(backend, tmp_path):
    slots = int(backend.slots().cpus)
    tasks = [sleeping(tmp_path, number) for number in range(slots + 3)]
    backend.submit([attempt(task) for task in tasks])
    await_start(tmp_path, slots)
    backend.cancel()
    outcomes = drain(backend, len(tasks))
    assert sorted(outcome.key for outcome in outcomes) == sorted(task.key for task in tasks)
    assert {outcome.cause for outcome in outcomes} == {Cause.CANCELLED}
    assert len(list(tmp_path.glob("started-*"))) == slots


def test_the_kinds_of_nodes_are_those_that_are_there(backend):
    (kind,) = backend.node_kinds()
    assert (kind.cpus, kind.gpus, kind.count) == (2.0, 0.0, len(alive()))
    assert kind.memory_bytes > 0


def test_more_memory_than_any_node_has_waits(backend):
    """`check_feasible` rejects such requests by `node_kinds`; this test shows that the request reaches Ray."""
    greedy = attempt(doing("greedy"), resources=Resources(memory_bytes=1 << 50))
    backend.submit([greedy])
    assert backend.wait(1.0) == []
    backend.cancel()
    assert [outcome.cause for outcome in drain(backend, 1)] == [Cause.CANCELLED]
