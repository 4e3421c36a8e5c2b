"""The kinds of nodes in a cluster file of `ray up`, or in what an autoscaler reads of it. Imports no ray."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from jobs.errors import BadInputError
from orchestrator.backends.base import NodeKind

_ANY = 1e6  # more than a node has, but finite, because it is multiplied by the count
UNKNOWN_KIND = NodeKind(name="whatever the autoscaler starts", cpus=_ANY, gpus=_ANY, count=0)


def read_kinds(file: str | Path) -> tuple[NodeKind, ...]:
    """The kinds of nodes in a cluster file whose resources it says, and that run tasks.

    Raises:
        BadInputError: It cannot be read, or is none.
    """
    try:
        config = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        kinds = configured_kinds(config)
    except (OSError, yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise BadInputError(f"{file}: is no cluster file of `ray up` ({error})") from None
    return tuple(kind for kind in kinds if kind.count and (kind.cpus or kind.gpus))


def configured_kinds(config: Mapping[str, Any]) -> tuple[NodeKind, ...]:
    """The kinds of nodes that an autoscaler with this configuration could start."""
    return tuple(_configured(config))


def _configured(config: Mapping[str, Any]) -> Iterator[NodeKind]:
    most = config.get("max_workers", math.inf)
    for name, kind in config.get("available_node_types", {}).items():
        if not kind.get("resources"):
            yield replace(UNKNOWN_KIND, name=name)  # resources are known only once such a node runs
        elif count := min(kind.get("max_workers", 0), most):
            yield kind_of(name, kind["resources"], count)


def kind_of(name: str, resources: Mapping[str, float], count: int) -> NodeKind:
    """A kind of node from its resources as Ray names them."""
    return NodeKind(
        name=name,
        cpus=float(resources.get("CPU", 0)),
        gpus=float(resources.get("GPU", 0)),
        memory_bytes=int(resources.get("memory", 0)),
        count=count,
    )
