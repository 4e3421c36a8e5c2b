"""The code of the how-to runs as it stands there: two images and a question, through every kind of method."""

import re
from pathlib import Path

import torch
import yaml

from orchestrator.commands.locating import find_record
from orchestrator.commands.running import run
from orchestrator.results import collect

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "several-inputs.md"


def test_its_sweep_runs_through_every_kind_of_method(my_lab, write_sweep):
    torch.set_num_threads(1)
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    sweep = write_sweep({"name": "siamese", "compressions": [0.5], **yaml.safe_load(text)})
    assert run(str(sweep), [], backend="inline") == 0  # the gates of every point among it
    reached = {
        curve.plan.method: point.metrics["compression"]
        for curve in collect(*find_record(str(sweep), ""))
        for point in curve.points
        if point.asked == 0.5
    }
    assert reached.keys() == {"l1", "taylor", "integral", "thinet", "random"}
    assert all(0.4 < each < 0.6 for each in reached.values())
