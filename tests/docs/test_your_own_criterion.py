"""The code of the how-to runs as it stands there."""

import re
import sys
import types
from pathlib import Path

import pytest
import torch

from workers.channels import find_groups
from workers.criteria import Evidence, find_criterion
from workers.data import Split
from workers.models import build
from workers.objectives.classification import objective
from workers.observations import OBSERVATIONS, Batches, find_observation

CLASSIFICATION = objective()

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "your-own-criterion.md"
BY_PEAK = """
@criterion(reads="my_lab.criteria:peaks")
def by_peak(evidence):
    return evidence.statistic("peak")
"""


@pytest.fixture
def my_lab(monkeypatch):
    """The page's code as `my_lab.criteria`, with the criterion that the page leaves to the reader."""
    module = types.ModuleType("my_lab.criteria")
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        exec(block, vars(module))
    exec(BY_PEAK, vars(module))
    monkeypatch.setitem(sys.modules, "my_lab", types.ModuleType("my_lab"))
    monkeypatch.setitem(sys.modules, "my_lab.criteria", module)


@pytest.mark.parametrize("name", ["largest_weight", "relative_deviation", "by_peak"])
def test_its_criteria_score_every_unit(my_lab, name):
    module = build("resnet", {"widths": [4], "in_channels": 1}).eval()
    channel_map = find_groups(module, (1, 8, 8))
    criterion = find_criterion(f"my_lab.criteria:{name}")
    split = Split(images=torch.rand(4, 1, 8, 8), targets=torch.zeros(4, dtype=torch.int64))
    batches = Batches(split, CLASSIFICATION, 3, device=torch.device("cpu"), labelled=False)
    observed = find_observation(criterion.reads)(module, channel_map, batches) if criterion.reads else {}
    evidence = Evidence(
        state=module.state_dict(),
        channel_map=channel_map,
        generator=torch.Generator(),
        network=lambda: (module, (1, 8, 8)),
        observed=observed,
    )
    scores = criterion(evidence)
    assert {name: len(values) for name, values in scores.items()} == channel_map.widths()


def test_its_table_of_statistics_is_complete():
    module = build("plain", {"widths": [3], "in_channels": 1}).eval()
    channel_map = find_groups(module, (1, 8, 8))
    split = Split(images=torch.rand(2, 1, 8, 8), targets=torch.zeros(2, dtype=torch.int64))
    for name, observation in OBSERVATIONS.items():
        batches = Batches(split, CLASSIFICATION, 2, device=torch.device("cpu"), labelled=True)
        statistics = ", ".join(f"`{each}`" for each in observation(module, channel_map, batches))
        assert f"| `{name}` | {observation.needs} | {statistics} |" in PAGE.read_text()
