"""Set-up shared by all tests: one thread, checked shapes, sweeps that run in seconds, work for several processes.

`make test` runs several processes, each one folder after another, so that what a folder shares is made once. Whatever
starts Ray runs in one of them: there is one cluster at a time, and others compute while it waits.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from jaxtyping import install_import_hook

# Tensor shapes in the signatures of these packages are checked in every call that a test makes. Not in `ordering`: it
# validates its arguments itself, and has tests for that.
PACKAGES = (
    *("allocation", "channels", "criteria", "data", "integral", "measure", "models", "objectives", "observations"),
    *("distillation", "sparsity", "training"),
)
install_import_hook([f"workers.{package}" for package in PACKAGES], "beartype.beartype")

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# Ray's workers give way to all other processes: beside tests that compute they would hardly run.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # as Ray spells it
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("RAY_ADDRESS", None)
os.environ.pop("COLUMNS", None)  # tables of commands are as wide as they are in files, whatever terminal runs the tests

CLUSTERS = ("tests/cluster", "tests/orchestrator/backends/ray_cluster")
FIRST = (CLUSTERS[0], "tests/workers/stages", "tests/workers/channels", "tests/workers/integral")
"""What takes minutes: begun first, so that no process is left alone with one at the end."""


def pytest_configure() -> None:
    """Rays of this process lie in a folder of its own: none is found by anyone who looks for the latest one."""
    os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="orchard-", dir="/tmp")  # socket paths must stay short


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ.pop("RAY_TMPDIR"), ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Gives a process a unit whenever it has nothing to do. (xdist 3.8's own groups are lost with pytest 9.2.)"""
    from xdist.scheduler import LoadScopeScheduling

    class UnitScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _unit(nodeid)

    return UnitScheduling(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        ranks = {unit: rank for rank, unit in enumerate(FIRST)}
        items.sort(key=lambda item: ranks.get(_unit(item.nodeid), len(FIRST)))


def _unit(nodeid: str) -> str:
    """The folder of a test; those of clusters are one."""
    folder = nodeid.partition("::")[0].rpartition("/")[0]
    return CLUSTERS[0] if folder in CLUSTERS else folder


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory) -> Path:
    """One folder for all processes of this run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone among the processes of this run."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def empty_database(shared_folder) -> bytes:
    """A migrated MLflow database: making one takes seconds, copying it does not."""
    path = shared_folder / "empty.db"
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            from mlflow import MlflowClient

            made = path.with_suffix(".made")
            MlflowClient(f"sqlite:///{made}").search_experiments()
            made.rename(path)
    return path.read_bytes()


@pytest.fixture
def database(tmp_path, empty_database) -> str:
    """The address of an empty MLflow database where `write_sweep` says that it is."""
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def tiny_sweep() -> dict:
    """A sweep of two curves on digits: a small residual network, dense and l1, one epoch; no control is added."""
    return {
        "name": "tiny",
        "controls": False,
        "data": {"dataset": "digits"},
        "compressions": [0.2, 0.4],
        "models": {
            "net": {
                "network": "resnet",
                "arguments": {"widths": [8, 12], "in_channels": 1},
                "train": {"epochs": 1},
            }
        },
        "methods": {"dense": {"kind": "dense"}, "l1": {"kind": "criterion", "criterion": "l1"}},
    }


@pytest.fixture
def write_sweep(tmp_path: Path):
    """Writes a sweep to a file, its store and MLflow database beside it."""

    def write(sweep: dict, name: str = "sweep.yaml") -> Path:
        path = tmp_path / name
        ground = {"storage": str(tmp_path / "store"), "tracking": f"sqlite:///{tmp_path}/mlflow.db"}
        path.write_text(yaml.safe_dump({**ground, **sweep}))
        return path

    return write
