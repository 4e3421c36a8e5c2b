"""The sweeps of the how-to on super-resolution, detection and segmentation load as they stand there."""

import re
from pathlib import Path

import pytest
import yaml

from jobs.load import load_sweep

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "super-resolution-detection-segmentation.md"
HEADING, DATA, SEGMENTATION, DETECTION, TRANSFER = (
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
)
CLASSIFIED = {"data": {"dataset": "imagefolder", "root": "/data/imagenet"}}


@pytest.mark.parametrize(
    ("sweep", "objectives"),
    [
        ({**HEADING, **DATA}, ["super-resolution", "super-resolution"]),
        (SEGMENTATION, ["segmentation"]),
        (DETECTION, ["detection"]),
        ({**CLASSIFIED, **TRANSFER}, ["classification", "detection"]),
    ],
    ids=["super-resolution", "segmentation", "detection", "transfer"],
)
def test_a_sweep_of_the_page_loads(write_sweep, sweep, objectives):
    l1 = {"l1": {"kind": "criterion", "criterion": "l1"}}
    spec = load_sweep(str(write_sweep({"name": "page", "compressions": [0.3], "methods": l1, **sweep})))
    assert [spec.objective_of(model).name for model in spec.models] == objectives
    assert all(spec.data_of(model).root for model in spec.models)
