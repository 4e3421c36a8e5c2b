"""The node types of cluster.yaml under Ray's autoscaler, both versions, on pretend nodes."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import held_network
import pytest
import yaml
from fake_nodes import BIN, FakeCluster, fake_cluster

from orchestrator.store.files import FolderFiles
from orchestrator.store.journal import read_journal

REPOSITORY = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(600)]

CLUSTER = yaml.safe_load((REPOSITORY / "cluster.yaml").read_text())
TYPES = {name: kind for name, kind in CLUSTER["available_node_types"].items() if name != CLUSTER["head_node_type"]}
GPU_TYPE = next(name for name, kind in TYPES.items() if kind["resources"].get("GPU"))
CPU_TYPE = next(name for name, kind in TYPES.items() if not kind["resources"].get("GPU"))


@pytest.fixture(scope="module", params=["v1", "v2"])
def cluster(request, ray_environment, tmp_path_factory) -> Iterator[FakeCluster]:
    environment = ray_environment | {
        "HOME": str(tmp_path_factory.mktemp("home")),
        "PYTHONPATH": str(Path(held_network.__file__).parent),  # drivers and workers import the users' networks
    }
    with fake_cluster(CLUSTER, environment, autoscaler=request.param) as cluster:
        until("the head answers", lambda: answers(cluster))
        yield cluster


def answers(cluster: FakeCluster) -> bool:
    try:
        return cluster.workers() == {}
    except Exception:
        return False


def until(what: str, holds: Callable[[], bool]) -> None:
    """Waits for a fact; the bound is generous, and none of its seconds are measured."""
    for _ in range(480):
        if holds():
            return
        time.sleep(0.5)
    raise AssertionError(f"four minutes went by before {what}")


GPU_TASKS = """
import os, sys, ray
ray.init(log_to_driver=False, logging_level="ERROR")

@ray.remote(num_cpus=1, num_gpus=1)
def where():
    return os.environ["RAY_NODE_TYPE_NAME"]

open(sys.argv[1], "w").write(" ".join(ray.get([where.remote(), where.remote()])))
sys.stdin.read()
"""


def test_waiting_gpu_tasks_start_gpu_nodes_and_an_idle_cluster_goes_back_to_its_head(cluster, tmp_path):
    answer = tmp_path / "where"
    command = [sys.executable, "-c", GPU_TASKS, str(answer)]
    with subprocess.Popen(command, env=cluster.environment, stdin=subprocess.PIPE) as driver:
        until("both tasks ran", lambda: driver.poll() is not None or (answer.exists() and answer.read_text() != ""))
        assert answer.read_text().split() == [GPU_TYPE, GPU_TYPE]
        assert CPU_TYPE not in cluster.workers().values()  # nobody waited for CPUs alone
        until("the cluster is back to its head", lambda: cluster.workers() == {})
        assert driver.poll() is None  # a driver that waits keeps no node
        driver.communicate()


def test_a_request_that_no_node_could_meet_is_refused_with_the_node_types(cluster, write_sweep, tiny_sweep):
    file = write_sweep(tiny_sweep | {"device": "cuda", "resources": {"train": {"num_gpus": 8}}})
    command = [str(BIN / "orchard"), "run", str(file)]
    done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2, done.stderr
    assert "resources.train: asks for 1 CPUs, 8 GPUs" in done.stderr
    assert GPU_TYPE in done.stderr
    assert CPU_TYPE in done.stderr
    assert cluster.workers() == {}  # nothing was started for it


@pytest.mark.usefixtures("database")
def test_a_sweep_survives_machines_that_are_taken_away_and_computes_nothing_twice(
    cluster, write_sweep, tiny_sweep, tmp_path
):
    gate = tmp_path / "gate"  # until it is there, the other network does not get on with its training
    held = {"network": "held_network:Held", "arguments": {"gate": str(gate), "classes": 10}, "train": {"epochs": 1}}
    models = {"quick": tiny_sweep["models"]["net"], "long": held}
    dense = {"dense": {"kind": "dense"}}
    file = write_sweep(tiny_sweep | {"models": models, "methods": dense, "compressions": [0.3], "device": "cpu"})
    store = file.parent / "store"
    sweep = subprocess.Popen(
        [str(BIN / "orchard"), "run", str(file)],
        env=cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with sweep:
        until("the quick network is committed", lambda: sweep.poll() is not None or trained(store) != [])
        until("the other one trains", lambda: sweep.poll() is not None or gate.with_suffix(".waits").exists())
        assert sweep.poll() is None, sweep.stdout.read()
        assert trained(store) == ["quick/seed0"]
        for node in cluster.workers():
            cluster.lose(node)
        gate.touch()
        output, _ = sweep.communicate()
    assert sweep.returncode == 0, output
    assert ("train", "preempted") in {(e["stage"], e["cause"]) for e in journal(store) if e["kind"] == "failed"}
    assert Counter(entry["stage"] for entry in succeeded(store)) == {"train": 2, "evaluate": 2}


def journal(store: Path) -> list[dict]:
    """What drivers wrote down so far."""
    return list(read_journal(FolderFiles(str(store)), "tiny"))


def succeeded(store: Path) -> list[dict]:
    """The tasks that were computed and committed; what was found in the store is not counted."""
    return [entry for entry in journal(store) if entry["kind"] == "succeeded" and not entry["reused"]]


def trained(store: Path) -> list[str]:
    """The networks of them."""
    return [entry["label"] for entry in succeeded(store) if entry["stage"] == "train"]
