"""Atomic file operations under one root: a folder, or a prefix of an object store."""

from orchestrator.store.files.base import Entry, Files
from orchestrator.store.files.folder import FolderFiles
from orchestrator.store.files.many import map_files
from orchestrator.store.files.objects import ObjectFiles

__all__ = ["Entry", "Files", "FolderFiles", "ObjectFiles", "map_files"]
