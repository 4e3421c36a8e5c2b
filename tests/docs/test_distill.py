"""The sweep of the how-to on distillation runs as it stands there."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from jobs.load import load_sweep
from jobs.outcome import Succeeded
from orchestrator.environment import read_environment
from orchestrator.planning import plan_sweep
from orchestrator.results.lineage import planned_settings
from orchestrator.store import open_store
from workers.attempt.entry import run_task

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "distill.md"


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    sweep = {**tiny_sweep, "compressions": [0.4], "measure": {"reload": False}, **yaml.safe_load(text)}
    spec = load_sweep(str(write_sweep(sweep)))
    return plan_sweep(spec, read_environment(spec, device="cpu"))


def curves_of(plan):
    return {(each.method, each.protocol): each for each in plan.curves}


def test_its_curves_tell_how_they_were_distilled(plan):
    settings = {name: planned_settings(plan, curve) for name, curve in curves_of(plan).items()}
    assert {name: value for name, value in settings["l1", "distilled-within"].items() if "distill" in name} == {
        "train.further.recipe.distill.weight": "0.5",
        "train.further.recipe.distill.temperature": "1.0",
        "train.further.recipe.distill.features.layers": '["layer*"]',
        "train.further.recipe.distill.features.weight": "1.0",
    }
    assert settings["dense", "distilled"]["train.further.recipe.distill.temperature"] == "4.0"
    assert not any("distill" in name or "teacher" in name for name in settings["l1", "tuned"])


def test_its_sweep_runs(plan, tmp_path):
    torch.set_num_threads(1)
    store = open_store(tmp_path / "store")
    (point,) = curves_of(plan)["l1", "distilled-within"].points
    wanted = missing = {point.key}
    while missing:
        missing = {key for each in missing for key in plan.tasks[each].inputs.values()}
        wanted |= missing
    outcomes = [run_task(task, store) for key, task in plan.tasks.items() if key in wanted]
    assert all(isinstance(each, Succeeded) for each in outcomes), outcomes
    assert store.manifest(point.key).measurements["training_macs"] > 0
