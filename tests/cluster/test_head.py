"""One real head: sweeps as jobs by Ray's own command and by `orchard submit`, and what `orchard doctor` sees of it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from waiting import until

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
DENSE = "methods={dense: {kind: dense}}"


def points(store: Path) -> dict[str, float]:
    """Accuracy by label of every evaluated task in a store."""
    manifests = [json.loads(path.read_text()) for path in store.glob("manifests/*/*.json")]
    return {m["label"]: m["measurements"]["accuracy"] for m in manifests if m["stage"] == "evaluate"}


def busy_workers(head: int) -> list[int]:
    """Process ids of the workers of a head that run a task now."""
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            processes.append((int(folder.name), parent, (folder / "cmdline").read_text()))
        except (OSError, ValueError):
            continue
    raylets = {pid for pid, parent, command in processes if parent == head and "raylet" in command}
    return [pid for pid, parent, command in processes if parent in raylets and command.startswith("ray::work")]


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
    # One compression of each method; the dense network has its own.
    methods = yaml.safe_load((working_dir / "jobs" / "sweeps" / "quickstart.yaml").read_text())["methods"]
    assert {label.split("/")[1].partition("@")[0] for label in points(tmp_path / "store")} == methods.keys()
    assert len(points(tmp_path / "store")) == len(methods)

    out = call(
        *(str(BIN / "orchard"), "submit", "jobs/sweeps/quickstart.yaml", *SMALL, *ground),
        *("--address", head["dashboard"], "--wait"),
    )
    assert "submitted quickstart-a1" in out
    assert "Nothing to compute" in out


def test_a_job_whose_sweep_fails_fails_and_names_the_log(head, ray_environment, working_dir, tmp_path, database):
    sweep = working_dir / "jobs" / "sweeps" / "quickstart.yaml"
    document = yaml.safe_load(sweep.read_text())
    document["name"] = "failing"
    document["models"]["resnet"]["arguments"]["in_channels"] = 3  # digits have one
    sweep.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [
            *(str(BIN / "orchard"), "submit", str(sweep), *SMALL, DENSE, f"storage={tmp_path}/store"),
            *(f"tracking={database}", "--address", head["dashboard"], "--wait"),
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


def test_a_stopped_job_lets_go_of_its_sweep_and_goes_on_when_it_is_submitted_again(
    head, ray_environment, working_dir, tmp_path, database
):
    ground = [f"storage={tmp_path}/store", f"tracking={database}"]
    long = [*SMALL, "models.resnet.train.epochs=400", DENSE]

    def call(*command: str) -> str:
        done = subprocess.run(
            command, cwd=working_dir, env=ray_environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    ray = [str(BIN / "ray"), "job"]
    submit = [str(BIN / "orchard"), "submit", "jobs/sweeps/quickstart.yaml", *ground, "--address", head["dashboard"]]
    job = call(*submit, *long, "name=stopped").split()[1]
    lease = tmp_path / "store" / "leases" / "stopped" / "00000001.json"
    until(lambda: busy_workers(int(head["pid"])))
    call(*ray, "stop", "--address", head["dashboard"], job)
    # Released, not left to expire: the driver ended by itself within the three seconds that Ray gives it.
    until(lambda: json.loads(lease.read_text())["released"])
    until(lambda: not busy_workers(int(head["pid"])))
    out = call(*submit, *SMALL, DENSE, "name=stopped", "--wait")
    assert "tasks computed" in out


def doctor(environment: dict[str, str], *arguments: str) -> tuple[int, dict[str, dict]]:
    done = subprocess.run(
        [str(BIN / "orchard"), "doctor", *arguments, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout.startswith("["), done.stdout + done.stderr
    return done.returncode, {finding["check"]: finding for finding in json.loads(done.stdout)}


def test_a_worker_writes_to_the_store_and_everything_agrees(head, ray_environment, write_sweep, tiny_sweep, tmp_path):
    file = write_sweep(tiny_sweep | {"device": "cpu"})
    code, findings = doctor(
        ray_environment, str(file), "--address", head["dashboard"], "--working-dir", str(file.parent)
    )
    assert code == 0, findings
    assert findings["authentication"]["found"] == "RAY_AUTH_MODE is disabled, as in the cluster"
    assert findings["cluster"]["found"].startswith("1 workers were checked")
    assert "inside the cluster" in findings["storage"]["found"]
    assert findings["versions"]["verdict"] == findings["clocks"]["verdict"] == findings["upload"]["verdict"] == "ok"
    assert findings["mlflow"]["verdict"] == "warn"  # a file on the head's disk


def test_what_only_workers_cannot_do_is_found(head, ray_environment, write_sweep, tiny_sweep):
    file = write_sweep(tiny_sweep | {"device": "cuda", "storage": "/proc/store"})
    code, findings = doctor(ray_environment, str(file), "--address", head["dashboard"])
    assert code == 1
    assert findings["storage"]["verdict"] == "fail"
    assert findings["gpus"]["verdict"] == "fail"
