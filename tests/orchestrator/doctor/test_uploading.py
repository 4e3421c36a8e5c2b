"""What of the files that a sweep names goes along with a job, by Ray's own walk."""

import pytest

from orchestrator.doctor.uploading import look_at_upload, on_every_machine


@pytest.fixture
def sweep(tiny_sweep, write_sweep, tmp_path, monkeypatch):
    """A sweep in a working directory with weights, images and a file that its data reads."""
    (tmp_path / ".gitignore").write_text("images/*.raw\n")
    for name in ("net.pt", "images/a.png", "images/b.raw", "labels.csv", "more.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    monkeypatch.chdir(tmp_path)
    tiny_sweep["storage"] = "/store"
    tiny_sweep["models"]["net"] = {"network": "resnet", "weights": "net.pt"}
    tiny_sweep["models"]["other"] = {"network": "resnet", "weights": "/shared/net.pt", "data": {"root": "s3://b/data"}}
    tiny_sweep["data"] = {"dataset": "jobs.errors:nearest", "root": "images", "arguments": {"labels": "./labels.csv"}}
    return str(write_sweep(tiny_sweep))


def found(sweep, *overrides):
    upload = look_at_upload(".", sweep, overrides)
    return {each.where: (each.is_relative, each.num_here, each.num_sent) for each in upload.named}


def test_of_relative_paths_is_told_what_is_here_and_what_is_sent(sweep):
    assert found(sweep) == {
        "storage": (False, 0, 0),
        "data.root": (True, 2, 1),  # .gitignore leaves the other one out
        "data.arguments.labels": (True, 1, 1),
        "models.net.weights": (True, 1, 0),  # weights are never sent
        "models.other.weights": (False, 0, 0),
        "models.other.data.root": (False, 0, 0),
        "models.other.data.arguments.labels": (True, 1, 1),
    }


def test_what_overrides_name_counts_and_what_lies_outside_is_not_here(sweep):
    named = found(sweep, "@more.yaml", "storage=.orchard/store", "data.root=../images", "models.net.weights=pretrained")
    assert named["override @more.yaml"] == (True, 1, 1)
    assert named["storage"] == (True, 0, 0)
    assert named["data.root"] == (True, 0, 0)
    assert "models.net.weights" not in named


def test_a_job_needs_absolute_paths_everywhere_and_a_driver_here_all_paths(sweep, tmp_path):
    assert on_every_machine(sweep, [], as_job=True) == ("/shared/net.pt",)
    alone = on_every_machine(sweep, [], as_job=False)
    assert set(alone) == {"/shared/net.pt", *(str(tmp_path / name) for name in ("net.pt", "images", "labels.csv"))}
