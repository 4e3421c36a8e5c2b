"""The nodes of a Ray cluster: which are alive, which could be started, and which ones a request fits."""

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
import yaml

from jobs.resources import Resources
from orchestrator.backends.base import NodeKind
from orchestrator.backends.cluster_file import UNKNOWN_KIND, configured_kinds, kind_of

_log = logging.getLogger("orchard")

_FRESH_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """A node that is alive.

    Attributes:
        id: Ray's node id.
        host: Its host name.
        kind: Its node type, if it has such a label; else its host name.
        cpus: CPU slots.
        gpus: GPUs.
        memory_bytes: Memory that tasks may reserve.
    """

    id: str
    host: str
    kind: str
    cpus: float
    gpus: float
    memory_bytes: int

    def room_for(self, resources: Resources) -> int:
        """How many tasks with this request, or shares of one for several nodes, can run on it at once."""
        resources = resources.share
        shares = (
            (self.cpus, resources.num_cpus),
            (self.gpus, resources.num_gpus),
            (self.memory_bytes, resources.memory_bytes),
        )
        return int(min((have / asked for have, asked in shares if asked), default=math.inf))


class Nodes:
    """The nodes that are alive, cached for two seconds.

    Args:
        head_answers: Whether Ray's head answers; while it does not, what was known before is used, because Ray hangs.
    """

    def __init__(self, head_answers: Callable[[], bool] = lambda: True) -> None:
        self._head_answers = head_answers
        self._nodes: dict[str, ClusterNode] = {}
        self._read_s = -math.inf

    def alive(self) -> Mapping[str, ClusterNode]:
        """The nodes by id."""
        if time.monotonic() - self._read_s > _FRESH_S:
            self.refresh()
        return self._nodes

    def refresh(self) -> bool:
        """Read the nodes now; returns whether the head answered."""
        if not self._head_answers():
            return False
        self._nodes = {each["NodeID"]: _node(each) for each in ray.nodes() if each["Alive"]}
        self._read_s = time.monotonic()
        return True

    def slots_for(self, resources: Resources) -> int:
        """How many tasks with this request can run on all nodes at once."""
        rooms = [node.room_for(resources) for node in self.alive().values()]
        tasks = sum(rooms) // resources.nodes
        while tasks and sum(min(room, tasks) for room in rooms) < tasks * resources.nodes:
            tasks -= 1  # a task has one share on a node
        return tasks

    def host_of(self, node: str) -> str:
        """The host name of a node that is alive, or was when last looked; else empty."""
        found = self._nodes.get(node) or self.alive().get(node)
        return found.host if found else ""

    def to_avoid(self, resources: Resources, avoid: frozenset[str]) -> frozenset[str]:
        """Those of the nodes to avoid that are alive; none if the request fits no other node, where it would starve."""
        return avoid & self.alive().keys() if self._fitting(resources) - avoid else frozenset()

    def starves(self, resources: Resources, avoid: frozenset[str]) -> bool:
        """Whether a request waits in vain as long as it may not run on these nodes: of all alive, it fits only these.

        Then it does not run already: the node on which it did would be one more that it fits.
        """
        fitting = self._fitting(resources)
        return bool(fitting) and fitting <= avoid

    def _fitting(self, resources: Resources) -> set[str]:
        return {name for name, node in self.alive().items() if node.room_for(resources)}


def node_kinds(alive: Mapping[str, ClusterNode]) -> tuple[NodeKind, ...]:
    """The kinds of nodes that are alive, and of those that an autoscaler could start.

    An autoscaler whose node types are unknown may start anything: it is represented by a kind that every request fits,
    with a count of 0. What could be started and names no memory has that of nodes that are alive and otherwise equal.
    """
    memory: dict[tuple[float, float], int] = {}
    for node in alive.values():
        memory[node.cpus, node.gpus] = max(node.memory_bytes, memory.get((node.cpus, node.gpus), 0))
    startable = tuple(
        replace(kind, memory_bytes=kind.memory_bytes or memory.get((kind.cpus, kind.gpus), 0)) for kind in _startable()
    )
    known = {(kind.cpus, kind.gpus) for kind in startable}
    present: dict[tuple[str, float, float], NodeKind] = {}
    for node in alive.values():
        if (node.cpus, node.gpus) in known:
            continue
        # Ray measures each node's memory, and the numbers differ slightly between equal nodes.
        same = present.get((node.kind, node.cpus, node.gpus))
        present[node.kind, node.cpus, node.gpus] = NodeKind(
            name=node.kind,
            cpus=node.cpus,
            gpus=node.gpus,
            memory_bytes=max(node.memory_bytes, same.memory_bytes if same else 0),
            count=1 + (same.count if same else 0),
        )
    return (*present.values(), *startable)


def _node(described: Mapping[str, Any]) -> ClusterNode:
    resources, labels = described["Resources"], described.get("Labels") or {}
    host = described["NodeManagerHostname"]
    return ClusterNode(
        id=described["NodeID"],
        host=host,
        kind=labels.get("ray.io/node-group") or host,
        cpus=resources.get("CPU", 0.0),
        gpus=resources.get("GPU", 0.0),
        memory_bytes=int(resources.get("memory", 0)),
    )


def _startable() -> tuple[NodeKind, ...]:
    """What an autoscaler could start, as told by Ray's head or by the autoscaler's configuration on this machine."""
    try:
        reported = tuple(_reported())
    except Exception as error:  # an internal interface of Ray
        _log.debug("Ray's head did not say which nodes could be started: %s", error)
        reported = ()
    if reported:
        return reported
    file = _autoscaler_file()
    if file is not None:
        return configured_kinds(yaml.safe_load(file.read_text()))
    # KubeRay's autoscaler runs in its own container and reports no node types to Ray's head.
    return (UNKNOWN_KIND,) if "RAY_USAGE_STATS_KUBERAY_IN_USE" in os.environ else ()


def _reported() -> Iterator[NodeKind]:
    config = ray._private.state.state.get_cluster_config()
    for group in config.node_group_configs if config else ():
        if group.max_count != 0:
            yield kind_of(group.name, group.resources, group.max_count)


def _autoscaler_file() -> Path | None:
    """The configuration file of this cluster's autoscaler, from its command line, if it runs on this machine."""
    own = f"--gcs-address={ray.get_runtime_context().gcs_address}"
    flag = "--autoscaling-config="
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = command.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended, or belongs to another user
        if own in arguments:
            for argument in arguments:
                if argument.startswith(flag):
                    return Path(argument.removeprefix(flag)).expanduser()
    return None
