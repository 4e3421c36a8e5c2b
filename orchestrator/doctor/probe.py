"""Collects the facts of the machine that it runs on: versions, access to the store and MLflow, GPUs."""

import os
import platform
import shutil
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jobs.errors import OrchardError
from orchestrator.doctor.facts import HostFacts, ProbeRequest
from orchestrator.store import open_store, resolve_storage
from orchestrator.tracking import address

_PACKAGES = ("ray", "torch", "orchard")


def probe_host(request: ProbeRequest) -> HostFacts:
    """Collect the facts of this machine. Writes a test file to the store and removes it."""
    gpus, gpu_problem = _gpus() if request.gpus else (None, "")
    return HostFacts(
        name=socket.gethostname(),
        versions={"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        storage_problem=_storage_problem(request.storage),
        free_bytes=_free_bytes(request.storage),
        gpus=gpus,
        gpu_problem=gpu_problem,
        missing=tuple(each for each in request.locations if not os.access(Path(each).expanduser(), os.R_OK)),
    )


def tracking_problem(uri: str) -> str:
    """Why this machine cannot log to MLflow; empty where it can. Creates no database."""
    try:
        uri = address.resolved(uri)
        if path := address.sqlite_path(uri):
            folder = _nearest(path.parent)
            return "" if os.access(folder, os.W_OK) else f"{folder} cannot be written to"
        with address.opened(uri) as client:
            client.search_experiments(max_results=1)
    except OrchardError as error:
        return str(error)
    return ""


def _storage_problem(storage: str) -> str:
    """Why the store cannot be written atomically from this machine; empty where it can.

    Clients of object stores raise errors of many types, so every exception is reported.
    """
    try:
        open_store(storage).files.check()
    except OrchardError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _free_bytes(storage: str) -> int | None:
    try:
        resolved = resolve_storage(storage)
    except OrchardError:
        return None
    return None if "://" in resolved else shutil.disk_usage(_nearest(Path(resolved))).free


def _nearest(folder: Path) -> Path:
    """The folder itself, else the closest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _gpus() -> tuple[int | None, str]:
    try:
        import torch

        return torch.cuda.device_count() if torch.cuda.is_available() else 0, ""
    except (ImportError, RuntimeError, OSError) as error:
        return 0, str(error)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
