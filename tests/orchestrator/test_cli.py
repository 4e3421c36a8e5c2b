import errno
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from jobs.errors import StoppedError
from orchestrator import cli
from orchestrator.cli import main
from orchestrator.driver.publishing import Publisher
from orchestrator.executables import typed

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def orchard(capsys, tmp_path, monkeypatch):
    """Runs the command in a folder of its own; gives exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments: object) -> tuple[int, str, str]:
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_plan_counts_the_tasks_by_stage(orchard, tiny_sweep, write_sweep):
    code, out, _ = orchard("plan", write_sweep(tiny_sweep), "--json", "--device", "cpu")
    stages = json.loads(out)["stages"]
    assert code == 0
    # Two compressions by l1 and the dense network: three points, all from one trained network.
    assert stages["train"] == {"asked": 3, "tasks": 1, "shared": 2, "stored": 0}
    assert stages["evaluate"] == {"asked": 3, "tasks": 3, "shared": 0, "stored": 0}


def test_plan_says_that_orders_come_later(orchard, tiny_sweep, write_sweep):
    path = write_sweep({**tiny_sweep, "methods": {"integral": {"kind": "integral"}}})
    assert "order: more tasks will appear" in orchard("plan", path)[1]
    assert json.loads(orchard("plan", path, "--json")[1])["joining_tasks_with_unknown_inputs"] == {"order": 1}


def test_plan_imports_nothing_heavy(tiny_sweep, write_sweep):
    script = (
        "import sys; from orchestrator.cli import main\n"
        f"try: main(['plan', {str(write_sweep(tiny_sweep))!r}])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'ray', 'mlflow', 'ortools', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_malformed_file_gives_exit_code_2_and_no_traceback(orchard, tiny_sweep, write_sweep):
    path = write_sweep({**tiny_sweep, "compressions": [1.4], "seeds": []})
    for command in (["plan"], ["run", "--backend", "inline"], ["submit"]):
        code, out, err = orchard(*command, path)
        assert (code, out) == (2, "")
        assert "2 problems" in err
        assert "Traceback" not in err


def test_data_that_is_not_there_gives_exit_code_2(orchard, tiny_sweep, write_sweep):
    path = write_sweep({**tiny_sweep, "data": {"dataset": "cifar10", "root": "/no/such/folder"}})
    code, _, err = orchard("plan", path)
    assert code == 2
    assert "data.root: /no/such/folder: no such file or folder" in err


def test_an_interrupted_command_says_that_nothing_is_lost(orchard, tiny_sweep, write_sweep, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.commands.planning.show_plan", interrupt)
    code, _, err = orchard("plan", write_sweep(tiny_sweep))
    assert code == 130
    assert "the same command continues" in err


def test_a_full_disk_is_an_error_and_no_traceback(orchard, tiny_sweep, write_sweep, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("orchestrator.commands.planning.show_plan", full)
    code, _, err = orchard("plan", write_sweep(tiny_sweep))
    assert code == 1
    assert "No space left on device" in err
    assert "the same command continues" in err
    assert "Traceback" not in err


def test_a_run_that_lost_its_cluster_gives_exit_code_3(orchard, monkeypatch):
    def lose(**options):
        raise StoppedError("Ray cluster at head:1: its head has not answered for 20 s")

    monkeypatch.setattr(cli.cli, "main", lose)
    code, _, err = orchard("run", "sweep.yaml")
    assert (code, err) == (3, "stopped: Ray cluster at head:1: its head has not answered for 20 s\n")


def test_an_unknown_command_gives_exit_code_2(orchard):
    assert orchard("prune")[0] == 2


@pytest.mark.parametrize("arguments", [["--retries"], ["s", "--retries", "--watch"], ["--watch"]])
def test_what_is_told_of_one_sweep_needs_its_name_and_cannot_be_combined(orchard, arguments):
    code, _, err = orchard("status", *arguments)
    assert code == 2
    assert "needs the NAME of one sweep" in err


@pytest.fixture(scope="module")
def computed(tmp_path_factory) -> Path:
    """A place for the store of the tiny sweep, once a test has run it."""
    return tmp_path_factory.mktemp("computed") / "store"


@pytest.fixture
def path(computed, orchard, tiny_sweep, write_sweep, tmp_path, database) -> Path:
    """The tiny sweep, which has run inline; each test has a store of its own, and an MLflow."""
    file = write_sweep(tiny_sweep)
    if computed.exists():
        shutil.copytree(computed, tmp_path / "store")
        return file
    code, out, _ = orchard("run", file, "--backend", "inline")
    assert code == 0
    # train, convert, score, two prunings, three evaluations
    assert "9 tasks computed" in out
    shutil.copytree(tmp_path / "store", computed)
    return file


@pytest.mark.slow
class TestASweep:
    """One sweep, run inline, seen from all sides."""

    def test_that_has_run_has_nothing_to_compute(self, orchard, path):
        code, out, _ = orchard("run", path, "--backend", "inline")
        assert code == 0
        assert "Nothing to compute" in out

    def test_ctrl_c_is_told_by_the_next_status(self, orchard, path, monkeypatch):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr("orchestrator.driver.run.drive", interrupt)
        code, _, err = orchard("run", path, "compressions=[0.2,0.4,0.5]", "--backend", "inline")
        assert (code, "interrupted; finished results are kept" in err) == (130, True)
        assert "stopped: interrupted (Ctrl-C); finished results are kept" in orchard("status", path)[1]

    def test_that_is_told_to_end_while_it_logs_logs_first(self, orchard, path, monkeypatch):
        finish = Publisher.finish

        def told(publisher):
            os.kill(os.getpid(), signal.SIGTERM)
            return finish(publisher)

        monkeypatch.setattr(Publisher, "finish", told)
        code, out, _ = orchard("run", path, "--backend", "inline")
        assert (code, "MLflow: " in out) == (0, True)

    def test_another_compression_computes_only_what_is_new(self, orchard, path):
        code, out, _ = orchard("run", path, "compressions=[0.2,0.4,0.5]", "--backend", "inline")
        assert code == 0
        assert "2 tasks computed" in out  # one pruning, one evaluation

    def test_plan_knows_what_is_stored(self, orchard, tiny_sweep, write_sweep, database):
        path = write_sweep({**tiny_sweep, "methods": {"integral": {"kind": "integral"}}})
        orchard("run", path, "--backend", "inline")
        plan = json.loads(orchard("plan", path, "--json")[1])
        stages = plan["stages"]
        assert plan["joining_tasks_with_unknown_inputs"] == {}
        assert all(count["tasks"] == count["stored"] for count in stages.values())
        assert stages["order"]["tasks"] == 1  # of four groups of 8 and 12 channels

    def test_explain_tells_what_a_task_is_and_what_differs(self, orchard, path, tmp_path):
        tasks = json.loads(orchard("plan", path, "--json")[1])["tasks"]
        first, second = (task["key"] for task in tasks if task["stage"] == "prune")
        code, out, _ = orchard("explain", first[:10], "--storage", tmp_path / "store")
        assert code == 0
        assert "prune" in out
        assert "params.procedure.widths.compression: 0.2" in out
        assert "weights.safetensors" in out
        code, out, _ = orchard("explain", first, second, "--storage", tmp_path / "store")
        assert (code, out) == (0, "params.procedure.widths.compression: 0.2 -> 0.4\n")

    def test_explain_reads_a_plan_too(self, orchard, tiny_sweep, write_sweep):
        path = write_sweep(tiny_sweep)
        task = json.loads(orchard("plan", path, "--json")[1])["tasks"][0]
        code, out, _ = orchard("explain", task["key"], "--sweep", path)
        assert code == 0
        assert out.endswith("not stored\n")

    def test_an_unknown_key_is_bad_input(self, orchard, tmp_path):
        code, _, err = orchard("explain", "abcdef", "--storage", tmp_path / "store")
        assert code == 2
        assert "no task abcdef" in err

    def test_report_and_sync_work_from_the_store_alone(self, orchard, path, tmp_path, empty_database):
        code, out, _ = orchard("report", "tiny", "--storage", tmp_path / "store", "--out", tmp_path / "report")
        assert code == 0
        *files, last = out.splitlines()
        assert {Path(line).name for line in files} >= {"curves.png", "points.csv", "report.html"}
        store = tmp_path / "store"
        assert last == f"take one with you: {typed('orchard')} export tiny --best --storage {store} --out network"
        (tmp_path / "another.db").write_bytes(empty_database)
        code, out, _ = orchard("sync", path, "--tracking", f"sqlite:///{tmp_path}/another.db")
        assert code == 0
        assert "3 points of 2 curves" in out

    def test_a_failed_task_names_its_log_and_the_rest_finishes(
        self, orchard, tiny_sweep, write_sweep, tmp_path, database
    ):
        (tmp_path / "their_nets.py").write_text(
            "from workers.models import build as ours\n"
            "def broken():\n    raise RuntimeError('this network has a bug')\n"
            "def good():\n    return ours('resnet', {'widths': [8], 'in_channels': 1})\n"
        )
        train = {"train": {"epochs": 1}}
        models = {name: {"network": f"their_nets:{name}", **train} for name in ("broken", "good")}
        path = write_sweep({**tiny_sweep, "models": models})
        code, out, _ = orchard("run", path, "--backend", "inline")
        assert code == 1
        assert "this network has a bug" in out
        assert "9 tasks computed" in out  # all of the good network's
        assert "tasks could not run" in out
        log = next(line.split("log: ")[1].strip() for line in out.splitlines() if "log: " in line)
        assert "RuntimeError: this network has a bug" in Path(log).read_text()

    def test_a_secret_is_written_nowhere_and_shown_nowhere(self, orchard, path, tmp_path, empty_database, monkeypatch):
        secret, tracking = "planted-s3cr3t", "tracking=http://me:planted-s3cr3t@127.0.0.1:9"
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-s3cr3t-key")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "sub").mkdir()
        store, other = str(tmp_path / "store"), f"sqlite:///{tmp_path}/sub/other.db"
        (tmp_path / "sub" / "other.db").write_bytes(empty_database)
        code, out, err = orchard("run", path, tracking, "--backend", "inline")
        assert (code, "Nothing to compute" in out) == (0, True)
        key = json.loads(orchard("plan", path, tracking, "--json")[1])["tasks"][0]["key"]
        shown = [out, err]
        for arguments in (
            ("status", "tiny", "--storage", store),
            ("status", "--json", "--storage", store),
            ("plan", path, tracking, "--json"),
            ("report", "tiny", "--storage", store, "--out", tmp_path / "report"),
            ("sync", "tiny", "--storage", store),
            ("sync", "tiny", "--storage", store, "--tracking", "ftp://me:planted-s3cr3t@host"),
            ("sync", "tiny", "--storage", store, "--tracking", other),
            ("explain", key, "--storage", store),
            ("logs", key, "--storage", store),
            ("verify", "--storage", store),
            ("gc", "--storage", store),
            ("doctor", path, tracking, "device=cpu"),
            ("doctor", path, tracking, "device=cpu", "--json"),
            ("submit", path, tracking),
            ("run", path, "storage=s3://me:planted-s3cr3t@bucket"),
            ("run", path, "tracking={a: 'http://me:planted-s3cr3t@host'}"),
        ):
            shown += orchard(*arguments)[1:]
        files = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
        assert [each for each, content in files.items() if secret.encode() in content] == []
        assert [text for text in shown if secret in text] == []
        assert b"me:***@127.0.0.1" in files[tmp_path / "report" / "report.html"]
        assert any("report.html" in str(each) for each in files if "mlflow-artifacts" in str(each))

    def test_a_variable_in_the_tracking_uri_is_never_stored(self, orchard, path, tmp_path, monkeypatch, database):
        monkeypatch.setenv("FOLDER", str(tmp_path))
        code, _, err = orchard("run", path, "tracking=sqlite:///${FOLDER}/mlflow.db", "--backend", "inline")
        assert (code, err) == (0, "")
        assert "${FOLDER}" in (tmp_path / "store" / "sweeps" / "tiny.json").read_text()
        assert orchard("sync", "tiny", "--storage", tmp_path / "store")[0] == 0
        monkeypatch.delenv("FOLDER")
        code, _, err = orchard("sync", "tiny", "--storage", tmp_path / "store")
        assert (code, "has no variable FOLDER" in err) == (2, True)

    def test_a_database_without_its_driver_is_refused_before_anything_runs(self, orchard, path, tmp_path, monkeypatch):
        found = importlib.util.find_spec
        monkeypatch.setattr(
            "orchestrator.tracking.address.find_spec", lambda name: None if name == "psycopg2" else found(name)
        )
        for command in (("run", "--backend", "inline"), ("doctor",)):
            code, out, err = orchard(command[0], path, "tracking=postgresql://me@127.0.0.1:9/db", *command[1:])
            assert "pip install 'orchard[postgresql]'" in out + err
            assert code == (2 if command[0] == "run" else 0)

    def test_mlflow_being_away_costs_no_result(self, orchard, tiny_sweep, write_sweep, tmp_path):
        path = write_sweep({**tiny_sweep, "tracking": "http://127.0.0.1:9"})
        code, out, _ = orchard("run", path, "--backend", "inline")
        assert code == 0
        assert f"orchard sync tiny --storage {tmp_path / 'store'}" in out


def test_a_simulated_run_computes_nothing(orchard, tiny_sweep, write_sweep, tmp_path):
    path = write_sweep({**tiny_sweep, "methods": {"integral": {"kind": "integral"}}, "device": "cuda"})
    code, out, _ = orchard("run", path, "--backend", "simulated")
    assert code == 0
    # train, convert, order, permute, prune, evaluate: six stages of one virtual second, one after the other.
    assert "take 6 virtual seconds" in out
    assert not (tmp_path / "store").exists()
