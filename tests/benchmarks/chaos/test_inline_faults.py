"""A short version of each fault that needs no cluster: killed, torn, full, cut off; nothing is lost, nothing twice."""

from pathlib import Path

import pytest
from chaos_runs import chaos

from benchmarks.chaos import world
from benchmarks.chaos.inline_faults import FAULTS
from benchmarks.chaos.postgresql import program
from benchmarks.chaos.tracking_fault import COMPRESSIONS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_faults_of_drivers_files_and_mlflow():
    found = chaos("--where", "inline", "--times", "1")
    assert {*FAULTS, "MLflow killed"} == found["faults"].keys()


@pytest.mark.skipif(program("postgres") is None, reason="no server; apt-get install postgresql")
def test_postgresql_is_killed_while_two_sweeps_of_300_points_are_logged_to_it():
    _, plan = world.sweep(Path("/nowhere"), num_models=2, tracking="sqlite:///x", num_compressions=COMPRESSIONS)
    assert sum(len(curve.points) for curve in plan.curves) == 322
    found = chaos("--where", "postgresql", "--times", "1")
    assert found["faults"].keys() == {"PostgreSQL killed, by a server", "PostgreSQL killed, directly"}
