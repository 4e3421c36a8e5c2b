"""On which backend a sweep is run, and how a run ends: its exit code, and whether it stops the Ray job that it is."""

from dataclasses import replace

import pytest
from rich.console import Console
from stored_sweeps import ENVIRONMENT, commit

from jobs.errors import BadInputError
from jobs.load import load_sweep
from orchestrator.backends import BACKENDS
from orchestrator.commands import computing
from orchestrator.commands.computing import Computer
from orchestrator.driver.lease import CANCELLED, LOST, TERMINATED, DriverLease
from orchestrator.driver.run import RunSummary
from orchestrator.planning import plan_sweep
from orchestrator.store import Lease, open_store
from orchestrator.store.artifacts import manifest_path


@pytest.mark.parametrize(
    ("counts", "here", "told"),
    [
        ({}, "", None),
        ({"EPYC": 3}, "EPYC", None),
        ({"EPYC": 3}, "", "measured on EPYC (3). To measure anew"),  # on a cluster, whose machines are not known
        ({"EPYC": 3, "M2": 1}, "EPYC", "measured on M2 (1), not on EPYC. To measure anew"),
        ({"": 2}, "EPYC", "measured on machines that are not known (2), not on EPYC."),
    ],
)
def test_times_of_other_machines_are_told(counts, here, told):
    text = computing.stored_times_text(counts, here=here)
    assert told in text if told else text == ""


@pytest.mark.parametrize(
    ("stopped", "job_stopped"),
    [
        (CANCELLED, True),
        ("budget.wall_hours: this run has taken its 2 hours", True),
        (TERMINATED, False),  # by `ray job stop`, which stops the job itself, or by what may be tried again
        (LOST, False),
        ("", False),
    ],
)
def test_a_run_that_was_stopped_on_purpose_stops_its_job(monkeypatch, stopped, job_stopped):
    asked = []
    monkeypatch.setattr(computing, "stop_own_job", lambda: asked.append(1))
    summary = RunSummary(
        counts={}, failures=(), failed=(), computed=0, complete=not stopped, stopped=stopped, retries={}, duration_s=1.0
    )
    assert computing.end_run(summary) == (3 if stopped else 0)
    assert bool(asked) is job_stopped


class ClusterStartedError(Exception):
    """Something is to be computed."""


@pytest.fixture
def finished(monkeypatch, tiny_sweep, write_sweep):
    """Runs a sweep for a GPU, on Ray and with no GPU here, all results of which are in the store, but for some."""

    def start(*_):
        raise ClusterStartedError

    def run(*gone, backend="ray"):
        spec = load_sweep(write_sweep({**tiny_sweep, "device": "cuda"}))
        plan, store = plan_sweep(spec, replace(ENVIRONMENT, device="cuda")), open_store(spec.storage)
        for task in plan.tasks.values():
            commit(store, task)
        for stage in gone:
            for task in plan.tasks.values():
                if task.stage == stage:
                    store.files.delete(manifest_path(task.key))
        with (
            DriverLease(store, Lease.acquire(store.files, spec.name)) as lease,
            Computer(store, lease, backend, Console(quiet=True)) as computer,
        ):
            return computer.run(spec, plan)[0]

    monkeypatch.setattr(computing, "BACKENDS", {**BACKENDS, "ray": start})
    monkeypatch.setattr("orchestrator.backends.inline.gpus_of_this_machine", lambda: 0)
    return run


def test_a_sweep_that_has_all_its_results_starts_no_cluster_and_needs_no_gpu(finished):
    summary = finished()
    assert (summary.complete, summary.computed) == (True, 0)


def test_what_only_results_that_are_there_were_made_of_may_be_gone(finished):
    assert finished("score").complete


def test_networks_that_are_gone_are_made_again_on_the_cluster_and_not_in_the_driver(finished):
    with pytest.raises(ClusterStartedError):
        finished("prune")


def test_only_tasks_that_have_to_run_are_asked_whether_they_fit(finished):
    with pytest.raises(BadInputError, match="could ever run") as caught:
        finished("prune", backend="inline")
    assert "resources.evaluate" in str(caught.value)
    assert "resources.train" not in str(caught.value)
