"""Small whole files under one root: a folder, or a bucket of an object store."""

from orchestrator.store.files.base import Entry, Files
from orchestrator.store.files.folder import FolderFiles
from orchestrator.store.files.many import each
from orchestrator.store.files.objects import ObjectFiles

__all__ = ["Entry", "Files", "FolderFiles", "ObjectFiles", "each"]
