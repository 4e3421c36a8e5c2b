"""Whole sweeps on a cluster of two machines, whose results go to S3; then the second machine's Ray is lost for good."""

import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import torch
from ray.cluster_utils import Cluster
from safetensors.torch import load
from servers import s3_server

from jobs.artifact import Manifest
from orchestrator.commands.running import run
from orchestrator.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(600)]

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}
UNSEEN = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
QUICK_TO_NOTICE = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300}
"""Lost nodes are struck off after a second, not after fifteen."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of this file's own, as it loses a machine. All its processes know where S3 is."""
    with (
        s3_server("orchard") as access,
        tempfile.TemporaryDirectory(prefix="orchard-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in {**access, "RAY_AUTH_MODE": "disabled", "HOME": folder}.items():
            patch.setenv(name, value)
        cluster = Cluster(
            initialize_head=True,
            head_node_args={**NODE, **UNSEEN, "_system_config": QUICK_TO_NOTICE},
        )
        cluster.add_node(**NODE)
        patch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster
        cluster.shutdown()


def computed(storage: str) -> tuple[Counter[str], list[tuple[str, str]]]:
    """How many tasks of each stage were computed by all drivers of a store, and the nodes and causes of failures."""
    entries = list(open_store(storage).read_journal("tiny"))
    succeeded = Counter(each["stage"] for each in entries if each["kind"] == "succeeded" and not each["reused"])
    return succeeded, [(each["node"], each["cause"]) for each in entries if each["kind"] == "failed"]


def trained(storage: str) -> tuple[Manifest, dict[str, torch.Tensor]]:
    """The network that a store has of training, and how it came to be."""
    store = open_store(storage)
    entries = [each for each in store.read_journal("tiny") if each["kind"] == "succeeded"]
    (key,) = (each["key"] for each in entries if each["stage"] == "train")
    return store.manifest(key), load(store.read(key, "weights.safetensors"))


@pytest.mark.usefixtures("database", "cluster")
def test_machines_that_share_nothing_but_s3_read_what_the_others_wrote_and_train_together(write_sweep, tiny_sweep):
    storage, both = "s3://orchard/shared", {"train": {"num_cpus": 2, "processes": 2, "nodes": 2}}
    sweep = tiny_sweep | {"device": "cpu", "storage": storage, "resources": both}
    assert run(str(write_sweep(sweep)), [], backend="ray") == 0
    once = {"analyse": 1, "train": 1, "convert": 1, "score": 1, "prune": 2, "evaluate": 3}
    assert computed(storage) == (once, [])
    assert len(open_store(storage).read_sweep("tiny")["curves"]) == 2
    alone = tiny_sweep | {"device": "cpu", "storage": "s3://orchard/alone"}
    assert run(str(write_sweep(alone)), [], backend="ray") == 0
    (two, found), (one, expected) = map(trained, (storage, alone["storage"]))
    assert (two.processor.get("processes"), one.processor.get("processes")) == ("2", None)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("database")
def test_a_sweep_goes_on_where_a_raylet_is_lost_and_computes_nothing_twice(cluster, write_sweep, tiny_sweep):
    (second,) = cluster.worker_nodes
    (raylet,) = (info.process for info in second.all_processes["raylet"])
    net = tiny_sweep["models"]["net"] | {"train": {"epochs": 20}}
    models = {"one": net, "other": net | {"arguments": {"widths": [8, 16], "in_channels": 1}}}
    sweep = tiny_sweep | {"device": "cpu", "models": models, "storage": "s3://orchard/lost", "compressions": [0.3]}
    killer = Thread(target=kill_once_busy, args=(raylet.pid,))
    killer.start()
    assert run(str(write_sweep(sweep)), [], backend="ray") == 0
    killer.join()
    assert raylet.wait(10) == -signal.SIGKILL
    once, failures = computed("s3://orchard/lost")
    assert once == {"analyse": 2, "train": 2, "convert": 2, "score": 2, "prune": 2, "evaluate": 4}
    # The worker ends once it notices, or has finished by then: Ray asks for its parent, whom some systems replace.
    assert failures in ([], [(second.node_id, "preempted")])


def kill_once_busy(raylet: int) -> None:
    """Kill -9 of a raylet whose worker has run a task for a second; the worker finds out by itself."""
    since_s = None
    for _ in range(6000):
        since_s = (since_s or time.monotonic()) if busy_workers(raylet) else None
        if since_s and time.monotonic() - since_s > 1.0:
            os.kill(raylet, signal.SIGKILL)
            return
        time.sleep(0.05)


def busy_workers(raylet: int) -> list[str]:
    """Process ids of the children of a raylet that run a task now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == raylet and (folder / "cmdline").read_text().startswith("ray::work"):
                found.append(folder.name)
        except (OSError, ValueError):
            continue
    return found
