"""The code of the how-to runs as it stands there."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from jobs.artifact import Manifest
from jobs.outcome import Succeeded
from jobs.stages.base import ArtifactKey
from jobs.stages.table import StageKind
from jobs.task import make_task
from orchestrator.store import open_store
from workers.attempt.entry import run_task
from workers.inputs import InputSpec
from workers.models import build
from workers.network import NetworkRecipe, network_files

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-stage.md"
KEY = ArtifactKey("ab" * 16)


@pytest.fixture
def page():
    names: dict[str, object] = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        exec(block, names)
    return names


def test_its_stage_runs_and_does_what_the_page_says(page, tmp_path):
    store = open_store(tmp_path)
    arguments = {"widths": [4], "in_channels": 1}
    state = build("plain", arguments).state_dict()
    files = network_files(
        NetworkRecipe(network="plain", arguments=arguments, inputs=InputSpec.of_shape((1, 8, 8))), state
    )
    store.commit(Manifest(key=KEY, stage="train", identity={}, measurements={"params": 1}), files)
    params = page["ClipParams"](network=KEY, quantile=0.5)
    environment = {"torch": "any", "dtype": "float32", "device": "cpu"}
    task = make_task(params, stage=StageKind.APPLY, environment=environment)
    outcome = run_task(task, store, stage_of=lambda stage: page["run"])
    assert isinstance(outcome, Succeeded), outcome
    weight = "features.0.weight"
    found = load(store.read(task.key, "weights.safetensors"))[weight]
    # Half of its 36 magnitudes lie above the median, and all of those are at it now.
    assert torch.equal(found, state[weight].clamp(-found.abs().max(), found.abs().max()))
    assert int((found != state[weight]).sum()) == 18
    assert outcome.measurements["params"] == 1
    assert outcome.measurements["clipped"] >= 18


def test_its_row_is_complete_and_its_record_is_part_of_the_key(page):
    name, row = page["CLIP"]
    assert (name, row.params, row.accelerated) == ("clip", page["ClipParams"], False)
    keys = {
        make_task(page["ClipParams"](network=KEY, quantile=quantile), stage=StageKind.APPLY, environment={}).key
        for quantile in (0.5, 0.9)
    }
    assert len(keys) == 2


def test_planning_adds_its_task(page):
    class Tasks:
        def add(self, params, label, *, model):
            return params, label, model

    class Trial:
        label, model = "net/l1@40%/seed0", "net"

    params, label, model = page["add_clip_task"](Tasks(), KEY, Trial())
    assert (params.network, label, model) == (KEY, "net/l1@40%/seed0", "net")
