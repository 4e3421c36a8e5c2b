"""Determines what a plan depends on besides the sweep file: versions, and fingerprints of data, checkpoints and code.

Neither torch nor user modules are imported.
"""

import os
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jobs.callables import check_callable
from jobs.errors import BadInputError, Fault, InvalidFileError
from jobs.fingerprint import data_fingerprint, fingerprint
from jobs.libraries import ATTACKS_LIBRARY, is_own, library_of
from jobs.sources import read_modules, source_fingerprint
from jobs.spec.allocation import OwnAllocation
from jobs.spec.criterion import CriterionMethod
from jobs.spec.data import DataSpec
from jobs.spec.protocols import OwnProtocol, TransferProtocol
from jobs.spec.sweep import SweepSpec
from jobs.weights import is_hub, library_version, weights_fingerprint
from orchestrator.planning import PlanEnvironment

_VERSIONED = ("timm", "transformers")
"""Libraries whose version is part of the keys of tasks that build their networks; torchvision's goes with torch's."""


def read_environment(spec: SweepSpec, *, device: str) -> PlanEnvironment:
    """The environment of a sweep's plan on this machine.

    Args:
        spec: The sweep.
        device: Device class of the accelerated stages: `cpu` or `cuda`.

    Raises:
        InvalidFileError: Data, checkpoints or modules cannot be found; it lists all of them.
    """
    faults: list[Fault] = []

    def read(path: str, location: str) -> str:
        try:
            return fingerprint(location)
        except BadInputError as error:
            faults.append(Fault(path=path, problem=str(error)))
            return ""

    def read_data(path: str, data: DataSpec) -> str:
        if data.fingerprint is not None:
            return data.fingerprint
        if data.root and is_hub(data.root):
            return data.root  # a commit
        found = read(f"{path}.root", data.root) if data.root else f"scikit-learn {version('scikit-learn')}"
        if not is_own(data.dataset):
            return found
        try:
            return data_fingerprint(found, data.arguments)
        except BadInputError as error:
            faults.append(Fault(path=path, problem=str(error)))
            return ""

    fingerprints = {path: read_data(path, each) for path, each in _data_sets(spec).items()}

    identify = cache(weights_fingerprint)  # many models may begin with one large file

    def read_weights(name: str, weights: str, network: str) -> str:
        try:
            return identify(weights, network)
        except BadInputError as error:
            faults.append(Fault(path=f"models.{name}.weights", problem=str(error)))
            return ""

    weights = {
        name: read_weights(name, model.weights, model.network)
        for name, model in spec.models.items()
        if model.weights and model.network
    }
    sources = {ATTACKS_LIBRARY: library_version(ATTACKS_LIBRARY)} if _attacks_by_library(spec) else {}
    modules = {}
    for path, import_path in _import_paths(spec).items():
        library = library_of(import_path)
        if library in _VERSIONED:
            sources[import_path] = library_version(library)
        if not is_own(import_path):
            continue
        try:
            modules[import_path] = read_modules(import_path)
            sources[import_path] = source_fingerprint(modules[import_path])
            check_callable(import_path)
        except BadInputError as error:
            faults.append(Fault(path=path, problem=str(error)))
    if faults:
        raise InvalidFileError(f"sweep {spec.name}", faults)
    return PlanEnvironment(
        device=device,
        torch_version=version("torch"),
        ortools_version=version("ortools"),
        data=fingerprints.pop("data"),
        weights=weights,
        sources=sources,
        modules=modules,
        own_data=fingerprints,
        onnx=f"onnx {version('onnx')}, onnxruntime {_onnxruntime_version()}, onnxscript {version('onnxscript')}",
    )


def _attacks_by_library(spec: SweepSpec) -> bool:
    """Whether a sweep attacks networks by what is not our own."""
    return spec.measure.attack is not None and spec.measure.attack.needs_library


def _onnxruntime_version() -> str:
    """Version of ONNX Runtime, whichever of its packages is installed."""
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "not installed"


def _transfers(spec: SweepSpec) -> dict[str, TransferProtocol]:
    """The transfers of a sweep, by their path in the file."""
    return {f"protocols.{name}": each for name, each in spec.protocols.items() if isinstance(each, TransferProtocol)}


def _data_sets(spec: SweepSpec) -> dict[str, DataSpec]:
    """All data sets of a sweep, by their path in the file."""
    own = {f"models.{name}.data": model.data for name, model in spec.models.items() if model.data}
    return {"data": spec.data, **own, **{f"{path}.data": each.data for path, each in _transfers(spec).items()}}


def _import_paths(spec: SweepSpec) -> dict[str, str]:
    """All names in a sweep that may be import paths of user code, by their path in the file."""
    paths = {f"{path}.dataset": data.dataset for path, data in _data_sets(spec).items()}
    paths["objective"] = spec.objective.name
    for path, transfer in _transfers(spec).items():
        paths |= {f"{path}.network": transfer.network, f"{path}.objective": transfer.objective.name}
    for name, model in spec.models.items():
        if model.network is not None:
            paths[f"models.{name}.network"] = model.network
        if model.objective is not None:
            paths[f"models.{name}.objective"] = model.objective.name
    for name, protocol in spec.protocols.items():
        if isinstance(protocol, OwnProtocol):
            paths[f"protocols.{name}.change"] = protocol.change
    for name, method in spec.methods.items():
        if isinstance(method, CriterionMethod):
            paths[f"methods.{name}.criterion"] = method.criterion
            if method.observation is not None:
                paths[f"methods.{name}.observation"] = method.observation
        allocation = spec.allocation_of(name)
        if isinstance(allocation, OwnAllocation):
            paths[f"methods.{name}.allocation.choose"] = allocation.choose
    return paths


def gpus_of_this_machine(devices: Path = Path("/dev")) -> int:
    """Number of visible CUDA devices, without importing torch.

    Args:
        devices: Where the system lists its devices.
    """
    there = len(list(devices.glob("nvidia[0-9]*")))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return there if visible is None else min(there, sum(each.strip() not in ("", "-1") for each in visible.split(",")))


def git_commit() -> str:
    """The commit checked out in the working directory; empty outside a repository."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
