"""A short version of each fault that needs no cluster: killed, torn, full, cut off; nothing is lost, nothing twice."""

import pytest
from chaos_runs import chaos

from benchmarks.chaos.inline_faults import FAULTS


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_faults_of_drivers_files_and_mlflow():
    found = chaos("--where", "inline", "--times", "1")
    assert {*FAULTS, "MLflow killed"} == found["faults"].keys()
