"""The node types of cluster.yaml under Ray's autoscaler, both versions, on pretend nodes."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from fake_nodes import BIN, FakeCluster, fake_cluster

REPOSITORY = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(300)]

CLUSTER = yaml.safe_load((REPOSITORY / "cluster.yaml").read_text())
TYPES = {name: kind for name, kind in CLUSTER["available_node_types"].items() if name != CLUSTER["head_node_type"]}
GPU_TYPE = next(name for name, kind in TYPES.items() if kind["resources"].get("GPU"))
CPU_TYPE = next(name for name, kind in TYPES.items() if not kind["resources"].get("GPU"))


@pytest.fixture(scope="module", params=["v1", "v2"])
def cluster(request, ray_environment, tmp_path_factory) -> Iterator[FakeCluster]:
    environment = ray_environment | {"HOME": str(tmp_path_factory.mktemp("home"))}
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
    for _ in range(240):
        if holds():
            return
        time.sleep(0.5)
    raise AssertionError(f"two minutes went by before {what}")


SWEEP = [
    str(REPOSITORY / "jobs" / "sweeps" / "quickstart.yaml"),
    "seeds=[0]",
    "compressions=[0.2,0.4]",
    "device=cpu",
    "models.resnet.arguments.widths=[8,12]",
    "models.resnet.train.epochs=1",
    "methods.integral-tuned.tune.steps=2",
]

GPU_TASKS = """
import json, ray
ray.init(log_to_driver=False, logging_level="ERROR")

@ray.remote(num_cpus=1, num_gpus=1, max_retries=0)
def where():
    return ray.get_runtime_context().get_node_id()

print(json.dumps(ray.get([where.remote(), where.remote()])))
input()
"""


def test_waiting_gpu_tasks_start_gpu_nodes_and_an_idle_cluster_goes_back_to_its_head(cluster):
    driver = subprocess.Popen(
        [sys.executable, "-c", GPU_TASKS],
        env=cluster.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with driver:
        nodes = json.loads(driver.stdout.readline())
        types = cluster.workers()
        assert {types[node] for node in nodes} == {GPU_TYPE}
        assert set(types.values()) == {GPU_TYPE}  # nobody waited for CPUs alone
        until("the cluster is back to its head", lambda: cluster.workers() == {})
        driver.communicate("the driver was there all the time\n")


def test_a_sweep_survives_a_machine_that_is_taken_away_and_computes_nothing_twice(cluster, tmp_path):
    store = tmp_path / "store"
    command = [*(str(BIN / "orchard"), "run"), *SWEEP, f"storage={store}", f"tracking=sqlite:///{tmp_path}/mlflow.db"]
    sweep = subprocess.Popen(
        command, env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with sweep:
        until("a result is in the store", lambda: sweep.poll() is not None or bool(committed(store)))
        before = committed(store)
        lost = next(iter(cluster.workers()))
        cluster.lose(lost)
        output, _ = sweep.communicate()
    assert sweep.returncode == 0, output
    assert lost not in cluster.workers()
    results = committed(store)
    assert sum(m["stage"] == "evaluate" for m in results.values()) == 11  # dense, and five methods at two compressions
    assert {key: results[key] for key in before} == before  # what was committed stayed as it was


def committed(store: Path) -> dict[str, dict]:
    """The manifests in a store, by key."""
    manifests = [json.loads(path.read_text()) for path in store.glob("manifests/*/*.json")]
    return {manifest["key"]: manifest for manifest in manifests}
