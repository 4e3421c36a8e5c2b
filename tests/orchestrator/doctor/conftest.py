"""Facts of healthy machines, for tests of the doctor."""

from dataclasses import replace

import pytest

from orchestrator.doctor.facts import HostFacts

HEALTHY = HostFacts(
    name="node",
    versions={"python": "3.11.7", "ray": "2.60.0", "torch": "2.15.0", "orchard": "0.1.0"},
    storage_problem="",
    free_bytes=100 * 2**30,
    gpus=0,
)


@pytest.fixture
def machine():
    """Makes a healthy machine, with changes."""

    def make(name: str = "node", **changes) -> HostFacts:
        return replace(HEALTHY, name=name, **changes)

    return make
