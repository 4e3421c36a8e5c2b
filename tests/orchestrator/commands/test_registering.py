"""`orchard register` on a sweep that was run."""

import pytest
import torch
from mlflow import MlflowClient

from orchestrator.cli import main
from orchestrator.commands.running import run


@pytest.fixture
def swept(tiny_sweep, write_sweep, database, capsys):
    """A sweep that has run, and is in MLflow."""
    torch.set_num_threads(1)
    path = write_sweep({**tiny_sweep, "compressions": [0.2]})
    assert run(str(path), [], backend="inline") == 0
    capsys.readouterr()
    return path


def register(*arguments: object) -> int:
    try:
        main(["register", *map(str, arguments)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_a_network_is_registered_with_its_card_and_once_only(swept, database, capsys, tmp_path):
    assert register("tiny", "--storage", tmp_path / "store", "--method", "l1", "--as", "small") == 0
    first = capsys.readouterr().out
    assert "net/l1 at 20 %, seed 0" in first
    assert "version 1 of small (new)" in first
    assert "http://127.0.0.1:5000/#/models/small/versions/1" in first
    assert f'mlflow.set_tracking_uri("{database}")' in first
    assert register(swept, "--method", "l1", "--as", "small@champion") == 0
    second = capsys.readouterr().out
    assert "version 1 of small (it was there already)\n  alias champion\n" in second
    assert 'mlflow.pyfunc.load_model("models:/small@champion"' in second
    version = MlflowClient(database).get_model_version_by_alias("small", "champion")
    assert version.description.startswith("# net/l1 at 20 %\n\nA network of the sweep tiny")
    assert MlflowClient(database).get_run(version.run_id).info.run_name == "net/l1/seed0"


def test_a_sweep_that_this_mlflow_lacks_is_logged_first(swept, capsys, tmp_path, empty_database):
    (tmp_path / "another.db").write_bytes(empty_database)
    another = f"sqlite:///{tmp_path}/another.db"
    assert register(swept, "--method", "l1", "--as", "small", "--tracking", another) == 0
    (version,) = MlflowClient(another).search_model_versions("name = 'small'")
    logged = MlflowClient(another).get_run(version.run_id)
    assert (logged.info.status, set(logged.data.tags) >= {"orchard.curve", "orchard.recorded"}) == ("FINISHED", True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--method", "l1", "--as", "small@latest"], 2, "reserved", id="a reserved alias"),
        pytest.param(["--method", "l1", "--as", "a/b"], 2, "cannot be the name", id="a name that MLflow refuses"),
        pytest.param(["--as", "small"], 2, "2 networks", id="several networks"),
        pytest.param(
            ["--method", "l1", "--as", "small", "--tracking", "http://127.0.0.1:9"], 1, "refused", id="MLflow is away"
        ),
    ],
)
def test_what_is_refused_leaves_nothing_in_mlflow(swept, database, capsys, arguments, code, words):
    assert register(swept, *arguments) == code
    assert words in capsys.readouterr().err
    assert MlflowClient(database).search_registered_models() == []


def test_a_damaged_network_is_named_and_moved_away(swept, capsys, tmp_path):
    for blob in (tmp_path / "store" / "blobs").rglob("*"):
        if blob.is_file():
            blob.write_bytes(b"damaged")
    assert register(swept, "--method", "l1", "--as", "small") == 1
    assert "`orchard run` of the sweep tiny computes it again" in capsys.readouterr().err
