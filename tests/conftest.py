"""Set-up shared by all tests: one thread, checked tensor shapes, and sweeps that run in seconds."""

import os
from pathlib import Path

import pytest
import yaml
from jaxtyping import install_import_hook

# Tensor shapes in the signatures of these packages are checked in every call that a test makes. Not in `ordering`: it
# validates its arguments itself, and has tests for that.
PACKAGES = (
    *("allocation", "channels", "criteria", "data", "integral", "measure", "models", "objectives", "observations"),
    *("sparsity", "training"),
)
install_import_hook([f"workers.{package}" for package in PACKAGES], "beartype.beartype")

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("RAY_ADDRESS", None)


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
