"""How a run ends: its exit code, and whether it stops the Ray job that it is."""

import pytest

from orchestrator.commands import computing
from orchestrator.driver.lease import CANCELLED, LOST, TERMINATED
from orchestrator.driver.run import RunSummary


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
