"""Tasks that are quick to run for real: they score a one-layer network that a store holds already."""

import json

import pytest
import torch
from plain_tasks import ENVIRONMENT
from safetensors.torch import save

from jobs.artifact import Manifest
from jobs.stages.base import ArtifactKey
from jobs.stages.scoring import ScoreParams
from jobs.task import make_task
from orchestrator.store import ArtifactStore, open_store
from workers.channels import find_groups

SOURCE = "aa" + "0" * 30


@pytest.fixture
def probe_store(tmp_path) -> ArtifactStore:
    """A store with the artifact of one converted network."""
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3))
    files = {
        "weights.safetensors": save(network.state_dict()),
        "channels.json": json.dumps(find_groups(network, (1, 8, 8)).to_json()).encode(),
    }
    store = open_store(tmp_path / "probe")
    store.commit(Manifest(key=SOURCE, stage="convert", identity={}, measurements={}), files)
    return store


def scoring(index: int, source: str):
    params = ScoreParams(network=ArtifactKey(source), criterion="random", seed=index)
    return make_task(params, environment=ENVIRONMENT, label=f"probe {index}")


@pytest.fixture
def task():
    """A task that succeeds, one for each index."""
    return lambda index: scoring(index, SOURCE)


@pytest.fixture
def broken():
    """A task that fails: its input is in no store."""
    return lambda index: scoring(index, "bb" + "1" * 30)
