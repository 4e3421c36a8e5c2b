"""What a process sees that uses the Ray backend on its own machine, with a Ray of its own."""

import json
import os
import subprocess
import sys
import tempfile

import pytest
from ray.cluster_utils import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

PROLOGUE = """
import json, os, sys, time
from pathlib import Path
from jobs.resources import Resources
from jobs.stages.base import ArtifactKey
from jobs.stages.scoring import ScoreParams
from jobs.task import Attempt, make_task
from orchestrator.backends.ray_cluster import RayBackend
from workers.attempt.entry import Provenance

pid = Path(sys.argv[1] + ".pid")

def sleep(task, place):
    pid.write_text(str(os.getpid()))
    time.sleep(600)

def until(something):
    for _ in range(600):
        if found := something():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen")

def children():
    return open(f"/proc/self/task/{os.getpid()}/children").read().split()

task = make_task(ScoreParams(network=ArtifactKey("ab"), criterion="l1"), environment={})
backend = RayBackend(sys.argv[1], Provenance(), execute=sleep, patience_s=2.0)
backend.submit([Attempt(task=task, resources=Resources())])
"""


@pytest.fixture(scope="module")
def run():
    """Runs a program after the prologue; gives what it printed."""

    def run(program: str, code: int = 0, **environment: str):
        with tempfile.TemporaryDirectory(prefix="orchard-") as folder:
            kept = ("RAY_TMPDIR", "RAY_worker_niceness")
            inherited = {
                name: value for name, value in os.environ.items() if not name.startswith("RAY_") or name in kept
            }
            done = subprocess.run(
                [sys.executable, "-c", PROLOGUE + program, f"{folder}/store"],
                env={**inherited, "HOME": folder, "RAY_USAGE_STATS_ENABLED": "0", **environment},
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            assert done.returncode == code, done.stdout + done.stderr
            return json.loads(done.stdout.splitlines()[-1])

    return run


ENDING = """
(outcome,) = until(lambda: backend.wait(1.0))
backend.submit([Attempt(task=task, resources=Resources())])
before = children()
backend.close()
found = [outcome.cause, len(outcome.node), bool(outcome.host), len(before) > 0, until(lambda: not children())]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def scarce(run) -> list:
    """What a process found whose worker was killed for its memory, and that closed its backend while another ran."""
    return run(ENDING, RAY_memory_usage_threshold="0.0", RAY_memory_monitor_refresh_ms="100")


def test_memory_that_runs_out_is_told_apart_from_a_lost_worker(scarce):
    assert scarce[:3] == ["out_of_memory", 56, True]


def test_a_closed_backend_leaves_no_child_behind(scarce):
    assert scarce[3:] == [True, True]


LEAVING = """
sleeper = int(until(lambda: pid.exists() and pid.read_text()))
backend.close()
print(json.dumps(until(lambda: not os.path.exists(f"/proc/{sleeper}"))))
"""


def test_a_closed_backend_leaves_nothing_running_on_a_cluster_that_it_had_joined(run):
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "no_monitor": True}
    )
    try:
        assert run(LEAVING, RAY_ADDRESS=cluster.address)
        assert cluster.head_node.remaining_processes_alive()
    finally:
        cluster.shutdown()


LOST = """
from jobs.errors import StoppedError
from ray._private import worker
backend.wait(3.0)
os.kill(worker._global_node.all_processes[PROCESS][0].process.pid, 9)
began_s = time.monotonic()
try:
    found = until(lambda: backend.wait(0.2))
except StoppedError as error:
    found = str(error)
backend.close()
print(json.dumps([str(found), time.monotonic() - began_s]))
"""


@pytest.mark.parametrize("process", ["gcs_server", "raylet"])
def test_a_lost_head_or_raylet_ends_the_driver_with_an_error_that_says_what_to_do(run, process):
    message, seconds = run(LOST.replace("PROCESS", repr(process)), code=3)
    assert "run the same command again" in message
    assert seconds < 30
