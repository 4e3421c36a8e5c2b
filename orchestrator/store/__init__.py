"""The store: content-addressed artifacts, append-only journals, and leases on sweeps."""

from orchestrator.store.artifacts import ArtifactStore
from orchestrator.store.files import Files
from orchestrator.store.journal import Journal
from orchestrator.store.lease import Fence, Lease, LeaseHeldError, LeaseState, cancel
from orchestrator.store.opening import open_store, resolve_storage
from orchestrator.store.terms import LEASE_TTL_S, LeaseRecord, LeaseTerm, Watch, active_leases

__all__ = [
    "LEASE_TTL_S",
    "ArtifactStore",
    "Fence",
    "Files",
    "Journal",
    "Lease",
    "LeaseHeldError",
    "LeaseRecord",
    "LeaseState",
    "LeaseTerm",
    "Watch",
    "active_leases",
    "cancel",
    "open_store",
    "resolve_storage",
]
