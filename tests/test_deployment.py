"""What is shipped beside the code: cluster.yaml, the sweeps, the reference of the sweep file."""

import json
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

from jobs.reference import sweep_reference

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def cluster() -> dict:
    return yaml.safe_load((REPOSITORY / "cluster.yaml").read_text())


def test_the_cluster_file_fits_rays_own_schema(cluster):
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)


def test_the_head_runs_no_tasks(cluster):
    assert cluster["available_node_types"][cluster["head_node_type"]]["resources"]["CPU"] == 0


def test_gpu_and_cpu_workers_scale_from_nothing(cluster):
    types = cluster["available_node_types"]
    workers = {name: kind for name, kind in types.items() if name != cluster["head_node_type"]}
    assert all(kind["min_workers"] == 0 < kind["max_workers"] for kind in workers.values())
    assert any(kind["resources"].get("GPU") for kind in workers.values())
    assert any("GPU" not in kind["resources"] for kind in workers.values())


def test_gpu_workers_are_spot_machines(cluster):
    gpu = next(kind for kind in cluster["available_node_types"].values() if kind["resources"].get("GPU"))
    assert gpu["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"


def test_the_reference_of_the_sweep_file_is_up_to_date():
    written = (REPOSITORY / "docs" / "sweep-file.md").read_text()
    assert written == sweep_reference(), "run: .venv/bin/python -m jobs.reference > docs/sweep-file.md"
