"""The code of the how-to runs as it stands there."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from jobs.load import load_sweep
from jobs.spec.needs import DataNeed, data_needed
from workers.channels import find_groups
from workers.criteria import Evidence, find_criterion
from workers.models import build

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-your-method-to-the-leaderboard.md"
SWEEPS = PAGE.parents[2] / "jobs" / "sweeps"


@pytest.fixture
def sweep(my_lab, tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    path = tmp_path / "spread.yaml"
    path.write_text(text)
    return load_sweep(path)


def test_its_criterion_has_ten_lines_and_scores_every_unit(my_lab):
    (code,) = re.findall(r"```python\n# my_lab/criteria.py\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    module = build("plain", {"widths": [3], "in_channels": 1}).eval()
    channel_map = find_groups(module, (1, 8, 8))
    evidence = Evidence(
        state=module.state_dict(),
        channel_map=channel_map,
        generator=torch.Generator(),
        network=lambda: (module, (1, 8, 8)),
        observed={},
    )
    scores = find_criterion("my_lab.criteria:spread")(evidence)
    assert {name: len(values) for name, values in scores.items()} == channel_map.widths()


def test_its_sweep_loads_and_needs_the_data_that_the_page_says(sweep):
    assert data_needed(sweep, "spread") is DataNeed.NONE
    assert data_needed(sweep, "spread", "refit") is DataNeed.UNLABELLED


def test_its_sweep_has_the_networks_the_sizes_and_the_protocol_of_the_leaderboard(sweep):
    board = yaml.safe_load((SWEEPS / "leaderboard_cifar10.yaml").read_text())
    assert sweep.models["resnet56"].network == board["models"]["resnet56"]["network"]
    assert (list(sweep.compressions), sweep.target) == (board["compressions"], board["target"])
    assert sweep.protocols["refit"].model_dump(mode="json").items() >= board["protocols"]["refit"].items()
