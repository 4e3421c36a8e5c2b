"""A short version of the faults on Ray of `benchmarks.chaos`: workers, nodes, drivers killed; nothing lost or twice."""

import pytest
from chaos_runs import chaos

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(900)]


def test_a_sweep_that_meets_every_fault_of_a_ray_cluster():
    found = chaos("--where", "ray", "--times", "1", "--fault", "all of them in turn")
    assert found["runs"] == 1
