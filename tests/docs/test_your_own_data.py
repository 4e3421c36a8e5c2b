"""The code of the how-to gives data sets that Orchard takes."""

import re
from pathlib import Path

import pytest
import yaml

from jobs.load import load_sweep
from workers.data import forget_data, load_dataset

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "your-own-data.md"


@pytest.mark.usefixtures("my_lab")
@pytest.mark.parametrize(
    ("name", "arguments", "shape", "sizes"),
    [("shapes:shapes", {"count": 60}, (1, 8, 8), (54, 6, 30)), ("noise:noise", {}, (3, 8, 8), (30, 10, 10))],
)
def test_its_data_sets_load(name, arguments, shape, sizes):
    data = load_dataset(f"my_lab.{name}", arguments=arguments)
    forget_data()
    assert (data.input_shape, data.num_classes) == (shape, 2)
    assert tuple(map(len, (data.train, data.validation, data.test))) == sizes


@pytest.mark.usefixtures("my_lab")
def test_its_sweeps_load(tiny_sweep, write_sweep):
    for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        load_sweep(write_sweep({**tiny_sweep, **yaml.safe_load(text)}))
