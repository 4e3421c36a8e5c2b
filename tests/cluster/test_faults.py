"""A short version of each fault on Ray of `benchmarks.chaos`: workers, nodes, drivers killed; nothing lost or twice."""

import pytest
from chaos_runs import chaos

from benchmarks.chaos.ray_faults import RAY_FAULTS

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(900)]


def test_faults_of_a_ray_cluster():
    found = chaos("--where", "ray", "--times", "1")
    assert RAY_FAULTS.keys() == found["faults"].keys()
    assert all(row["runs"] >= 1 for row in found["faults"].values())
