"""The node types of cluster.yaml on one machine: Ray's autoscaler starts pretend nodes, and a node can be lost.

A pretend node is a raylet of this machine that claims the resources of its type. `ray.cluster_utils.AutoscalingCluster`
is of no use here: it reads a file that is not in Ray's wheel, and it ends every Ray of the machine.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servers import free_port

if TYPE_CHECKING:
    from ray.autoscaler.v2.schema import NodeInfo

BIN = Path(sys.executable).parent
HEAD_NODE = "f" * 51 + "00000"  # the provider numbers its nodes itself, beginning with the head
_NODE_ID = "RAY_CLOUD_INSTANCE_ID"  # of every process of a pretend node
HEAD_TYPE = "ray.head.default"  # the only name that the provider knows for a head
PROVIDERS = {
    "v1": {"type": "fake_multinode"},
    "v2": {
        "type": "external",
        "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
        "launch_multiple": True,
        "head_node_id": HEAD_NODE,
    },
}
COMMANDS = (  # a pretend machine needs none, but v1 wants to be told so
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
    "cluster_synced_files",
)
OBJECT_STORE_BYTES = 80_000_000
WORKERS_AT_MOST = 2  # of each type
CPUS_AT_MOST = 2
IDLE_MINUTES = 0.1


def scaled_down(cluster: dict[str, Any], *, autoscaler: str, gcs_address: str) -> dict[str, Any]:
    """A cluster file's node types for pretend nodes: same names and GPUs, few nodes, few CPUs, short patience."""

    def kind(given: dict[str, Any]) -> dict[str, Any]:
        cpus = min(given["resources"].get("CPU", 0), CPUS_AT_MOST)
        return {
            "resources": {**given["resources"], "CPU": cpus, "object_store_memory": OBJECT_STORE_BYTES},
            "min_workers": given["min_workers"],
            "max_workers": min(given["max_workers"], WORKERS_AT_MOST),
            "node_config": {},
        }

    types = cluster["available_node_types"]
    workers = {name: kind(given) for name, given in types.items() if name != cluster["head_node_type"]}
    head = {"resources": types[cluster["head_node_type"]]["resources"], "node_config": {}, "max_workers": 0}
    provider = {
        **PROVIDERS[autoscaler],
        "gcs_address": gcs_address,
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    }
    return {
        "cluster_name": cluster["cluster_name"],
        "max_workers": sum(worker["max_workers"] for worker in workers.values()),
        "upscaling_speed": cluster["upscaling_speed"],
        "idle_timeout_minutes": IDLE_MINUTES,
        "provider": provider,
        "auth": {"ssh_user": "nobody"},
        "head_node_type": HEAD_TYPE,
        "available_node_types": {HEAD_TYPE: head, **workers},
        "file_mounts": {},
        **{key: [] for key in COMMANDS},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeCluster:
    """A head whose autoscaler starts pretend nodes.

    Attributes:
        address: Of the GCS.
        environment: For drivers.
        group: The process group of the head and of all raylets; workers end with their raylet.
    """

    address: str
    environment: dict[str, str]
    group: int

    def workers(self) -> dict[str, str]:
        """Type by id of the pretend nodes that are up."""
        return {node.node_id: node.ray_node_type_name for node in self._nodes()}

    def at_work(self) -> list[str]:
        """Ids of the pretend nodes on which something runs."""
        return [
            node.node_id
            for node in self._nodes()
            if any(usage.resource_name == "CPU" and usage.used for usage in node.resource_usage.usage)
        ]

    def _nodes(self) -> list["NodeInfo"]:
        from ray.autoscaler.v2.sdk import get_cluster_status  # it reads the state of both autoscalers

        status = get_cluster_status(self.address)
        return [node for node in (*status.active_nodes, *status.idle_nodes) if node.node_id != HEAD_NODE]

    def lose(self, node: str) -> None:
        """Kill a node as a spot machine is reclaimed: its raylet and all its workers at once."""
        parents = _parents()
        lost = [pid for pid in parents if _group(pid) == self.group and _environment(pid).get(_NODE_ID) == node]
        assert lost, f"{node} has no process"
        for pid in lost:  # grows while it is read: children, which may have groups of their own, and their children
            lost += [child for child, parent in parents.items() if parent == pid and child not in lost]
        for pid in lost:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def fake_cluster(cluster: dict[str, Any], environment: dict[str, str], *, autoscaler: str) -> Iterator[FakeCluster]:
    """A head with an autoscaler (`v1` or `v2`) over a cluster file's node types; everything ends with the block.

    Its configuration lies where `ray up` puts it: `~/ray_bootstrap_config.yaml` of the head.
    """
    address = f"127.0.0.1:{free_port()}"
    bootstrap = Path(environment["HOME"]) / "ray_bootstrap_config.yaml"
    bootstrap.write_text(json.dumps(scaled_down(cluster, autoscaler=autoscaler, gcs_address=address)))
    command = [
        *(str(BIN / "ray"), "start", "--head", "--block", "--num-cpus=0", "--num-gpus=0"),
        *("--node-ip-address=127.0.0.1", f"--port={address.partition(':')[2]}", f"--autoscaling-config={bootstrap}"),
        *("--include-dashboard=false", f"--object-store-memory={OBJECT_STORE_BYTES}"),
        *(f"--ray-client-server-port={free_port()}", f"--dashboard-agent-listen-port={free_port()}"),
    ]
    of_head = {
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1" if autoscaler == "v2" else "0",
        _NODE_ID: HEAD_NODE,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_NODE,
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "AUTOSCALER_HEARTBEAT_TIMEOUT_S": "5",  # v1 replaces a lost node after so long
        "AUTOSCALER_METRIC_PORT": str(free_port()),
        "RAY_health_check_initial_delay_ms": "0",
        "RAY_health_check_period_ms": "300",  # a lost node is struck off after a second, not after fifteen
    }
    with tempfile.TemporaryDirectory(prefix="orchard-ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "head.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, f"--temp-dir={folder}"],
                env=environment | of_head,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield FakeCluster(address=address, environment=environment | {"RAY_ADDRESS": address}, group=process.pid)
        except BaseException as error:
            error.add_note(f"the head said:\n{log.read_text()[-2000:]}")
            raise
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # nothing here is worth a farewell
            process.wait()


def _parents() -> dict[int, int]:
    """The parent of every process of this machine."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(ProcessLookupError, FileNotFoundError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return parents


def _group(pid: int) -> int | None:
    with suppress(ProcessLookupError):
        return os.getpgid(pid)
    return None


def _environment(pid: int) -> dict[str, str]:
    """What a process was started with. A raylet keeps it; Ray's workers write their title over it."""
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except (ProcessLookupError, FileNotFoundError, PermissionError):
        return {}
    return {name: value for name, _, value in (entry.partition("=") for entry in entries)}
