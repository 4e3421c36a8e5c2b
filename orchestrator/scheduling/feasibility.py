"""Finds requests that no node can ever satisfy, before anything runs: a cluster would wait for ever. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jobs.errors import BadInputError
from jobs.resources import Resources
from jobs.stages.table import StageKind
from orchestrator.backends import NodeKind


def check_feasible(requests: Iterable[tuple[StageKind, Resources]], kinds: Sequence[NodeKind]) -> None:
    """Check that every request fits some kind of node.

    Args:
        requests: The requests of all tasks, with their stages.
        kinds: The nodes that are alive or could be started.

    Raises:
        BadInputError: Some requests fit no node; it lists them all, and the nodes that were considered.
    """
    unmet = [(stage, asked) for stage, asked in dict.fromkeys(requests) if not _enough(asked, kinds)]
    if not unmet:
        return
    lines = [f"  resources.{stage}: asks for {_request_text(asked)}" for stage, asked in unmet]
    nodes = [f"  {kind.name} ({kind.count} at most): {_node_text(kind)}" for kind in kinds] or ["  none"]
    raise BadInputError(
        "\n".join(
            [
                "no node could ever run these tasks:",
                *lines,
                "nodes that are there or could be started:",
                *nodes,
                "ask for less in `resources`, or add such a node to the cluster",
            ]
        )
    )


def fits(asked: Resources, kind: NodeKind) -> bool:
    """Whether a node of this kind can run one task with this request, or its share where it asks for several nodes."""
    share = asked.share
    enough_memory = not kind.memory_bytes or share.memory_bytes <= kind.memory_bytes
    return share.num_cpus <= kind.cpus and share.num_gpus <= kind.gpus and enough_memory


def memory_limit(asked: Resources, kinds: Sequence[NodeKind]) -> int:
    """The most memory that a request can surely have beside its CPUs and GPUs, in bytes; 0 where no node says it.

    Args:
        asked: The request; its memory does not matter.
        kinds: The nodes that are alive or could be started.
    """
    fitting = [kind.memory_bytes for kind in kinds if fits(replace(asked, memory_bytes=0), kind)]
    return asked.nodes * max(fitting, default=0)


def _enough(asked: Resources, kinds: Sequence[NodeKind]) -> bool:
    """Whether there are as many fitting nodes as one task asks for; a count of 0 means that it is unknown."""
    fitting = [kind.count for kind in kinds if fits(asked, kind)]
    return bool(fitting) and (0 in fitting or sum(fitting) >= asked.nodes)


def _request_text(asked: Resources) -> str:
    memory = f", {asked.memory_bytes / 2**30:.1f} GiB" if asked.memory_bytes else ""
    several = f", on {asked.nodes} nodes together" if asked.nodes > 1 else ""
    return f"{asked.num_cpus:g} CPUs, {asked.num_gpus:g} GPUs{memory}{several}"


def _node_text(kind: NodeKind) -> str:
    memory = f", {kind.memory_bytes / 2**30:.1f} GiB" if kind.memory_bytes else ""
    return f"{kind.cpus:g} CPUs, {kind.gpus:g} GPUs{memory}"
