"""A sweep as a job on a real head, by Ray's own command and by `orchard submit`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

BIN = Path(sys.executable).parent
REPOSITORY = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture
def working_dir(tmp_path) -> Path:
    """What a user uploads: the shipped sweep, and nothing else."""
    folder = tmp_path / "work" / "jobs" / "sweeps"
    folder.mkdir(parents=True)
    shutil.copy(REPOSITORY / "jobs" / "sweeps" / "quickstart.yaml", folder)
    return tmp_path / "work"


SMALL = [
    "seeds=[0]",
    "compressions=[0.3]",
    "models.resnet.arguments.widths=[8,12]",
    "models.resnet.train.epochs=1",
    "methods.integral-tuned.tune.steps=2",
]


def points(store: Path) -> dict[str, float]:
    """Accuracy by label of every evaluated task in a store."""
    manifests = [json.loads(path.read_text()) for path in store.glob("manifests/*/*.json")]
    return {m["label"]: m["measurements"]["accuracy"] for m in manifests if m["stage"] == "evaluate"}


def test_a_sweep_by_ray_job_submit_and_again_by_orchard_submit(head, ray_environment, working_dir, tmp_path):
    ground = [f"storage={tmp_path}/store", f"tracking=sqlite:///{tmp_path}/mlflow.db"]

    def call(*command: str) -> str:
        done = subprocess.run(
            command, cwd=working_dir, env=ray_environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    entry = ["orchard", "run", "jobs/sweeps/quickstart.yaml", *SMALL, *ground]
    out = call(*(str(BIN / "ray"), "job", "submit", "--address", head["dashboard"], "--working-dir", ".", "--"), *entry)
    assert "succeeded" in out.lower()
    # dense, and one compression of random, l1, integral, integral-uniform and integral-tuned
    assert len(points(tmp_path / "store")) == 6

    out = call(
        *(str(BIN / "orchard"), "submit", "jobs/sweeps/quickstart.yaml", *SMALL, *ground),
        *("--address", head["dashboard"], "--wait"),
    )
    assert "submitted quickstart-a1" in out
    assert "Nothing to compute" in out


def test_a_job_whose_sweep_fails_fails_and_names_the_log(head, ray_environment, working_dir, tmp_path):
    sweep = working_dir / "jobs" / "sweeps" / "quickstart.yaml"
    document = yaml.safe_load(sweep.read_text())
    document["name"] = "failing"
    document["models"]["resnet"]["arguments"]["in_channels"] = 3  # digits have one
    sweep.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [
            *(str(BIN / "orchard"), "submit", str(sweep), *SMALL, f"storage={tmp_path}/store"),
            *(f"tracking=sqlite:///{tmp_path}/mlflow.db", "--address", head["dashboard"], "--wait"),
        ],
        cwd=working_dir,
        env=ray_environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "failed (" in done.stdout
    assert "log: " in done.stdout
