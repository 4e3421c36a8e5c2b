"""Execution backends: this process, a virtual clock, or a Ray cluster. One protocol, one contract suite.

To add a backend, write its module and add a line to `BACKENDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.backends.base import Backend, NodeKind, Slots
from orchestrator.backends.inline import InlineBackend
from orchestrator.backends.simulated import SimulatedBackend

if TYPE_CHECKING:
    from orchestrator.driver.lease import DriverLease
    from orchestrator.store import ArtifactStore
    from workers.attempt.entry import Provenance

OpenBackend: TypeAlias = "Callable[[ArtifactStore, Provenance, DriverLease], Backend]"
"""Opens a backend: the store of its tasks, what goes into their manifests, and the driver's lease."""


def _open_inline(store: ArtifactStore, provenance: Provenance, lease: DriverLease) -> Backend:
    return InlineBackend(store, provenance, should_stop=lease.should_stop, may_commit=lease.may_commit)


def _open_ray(store: ArtifactStore, provenance: Provenance, lease: DriverLease) -> Backend:
    from orchestrator.backends.ray_cluster import RayBackend

    return RayBackend(store.uri, provenance, term=lease.term)


BACKENDS: Mapping[str, OpenBackend] = MappingProxyType({"ray": _open_ray, "inline": _open_inline})
"""The backends that compute, by the name that `--backend` gives them."""

__all__ = ["BACKENDS", "Backend", "InlineBackend", "NodeKind", "SimulatedBackend", "Slots"]
