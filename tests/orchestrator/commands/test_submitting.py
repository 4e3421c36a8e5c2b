"""`orchard submit` against a Ray that only notes what it is asked."""

import json
from types import SimpleNamespace

import pytest
from ray.job_submission import JobStatus

from jobs.errors import BadInputError
from orchestrator.commands.own_job import stop_own_job
from orchestrator.commands.submitting import submit


@pytest.fixture
def ray(monkeypatch):
    """A cluster whose jobs end as `status` says."""
    asked = SimpleNamespace(status=JobStatus.SUCCEEDED, code=0, jobs=[], stopped=[])

    class Client:
        def __init__(self, address=None):
            pass

        def list_jobs(self):
            return [SimpleNamespace(submission_id="tiny-a1")]

        def submit_job(self, **given):
            asked.jobs.append(given)
            return given["submission_id"]

        def stop_job(self, job):
            asked.stopped.append(job)

        def get_job_status(self, job):
            return asked.status

        def get_job_logs(self, job):
            return "words\n"

        def get_job_info(self, job):
            return SimpleNamespace(driver_exit_code=asked.code)

    monkeypatch.setattr("ray.job_submission.JobSubmissionClient", Client)
    return asked


@pytest.fixture
def sweep(tiny_sweep, write_sweep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return str(write_sweep(tiny_sweep))


def submitted(sweep, *overrides, wait=False):
    return submit(sweep, overrides, address="http://head:8265", working_dir=".", wait=wait)


def test_a_job_has_a_free_name_and_says_how_it_is_followed(ray, sweep, capsys, tmp_path):
    assert submitted(sweep, "seeds=[1]") == 0
    (job,) = ray.jobs
    assert (job["submission_id"], job["entrypoint"]) == ("tiny-a2", "orchard run sweep.yaml 'seeds=[1]'")
    assert f"status tiny --storage {tmp_path / 'store'} --watch" in capsys.readouterr().out


def test_relative_weights_that_are_not_sent_are_found_before_anything_is_submitted(ray, sweep, tmp_path):
    (tmp_path / "net.pt").write_text("weights")
    own = "models.net={network: resnet, weights: net.pt}"
    with pytest.raises(BadInputError, match=r"models\.net\.weights: net\.pt is left out of the upload.*; put it where"):
        submitted(sweep, own)
    with pytest.raises(BadInputError, match=r"storage: here is relative"):
        submitted(sweep, "storage=here")
    assert ray.jobs == []


def test_absolute_weights_are_said_to_be_needed_everywhere(ray, sweep, capsys):
    submitted(sweep, "models.net={network: resnet, weights: /shared/net.pt}")
    assert "every machine of the cluster has to have /shared/net.pt" in capsys.readouterr().err
    assert len(ray.jobs) == 1


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(JobStatus.SUCCEEDED, 0, 0), (JobStatus.FAILED, 2, 2), (JobStatus.FAILED, None, 1), (JobStatus.STOPPED, None, 3)],
)
def test_who_waits_ends_as_the_job_does(ray, sweep, status, code, expected):
    ray.status, ray.code = status, code
    assert submitted(sweep, wait=True) == expected


def test_a_process_that_is_a_job_can_stop_it_and_another_does_nothing(ray, monkeypatch):
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    stop_own_job(0)
    assert ray.stopped == []
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps({"metadata": {"job_submission_id": "tiny-a3"}}))
    stop_own_job(0)
    assert ray.stopped == ["tiny-a3"]
