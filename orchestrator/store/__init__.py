"""Where results are kept: content-addressed artifacts and an append-only journal."""

from orchestrator.store.journal import Journal, read_journal
from orchestrator.store.local import LocalStore
from orchestrator.store.opening import open_store, resolve_storage

__all__ = ["Journal", "LocalStore", "open_store", "read_journal", "resolve_storage"]
