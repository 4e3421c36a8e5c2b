import re
import sys
import types
from pathlib import Path

import pytest

from jobs.load import load_sweep
from workers.allocation import AllocationProblem, allocate, find_allocator
from workers.channels import ParameterCount, find_groups
from workers.models import build

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "your-own-allocation.md"


@pytest.fixture
def my_lab(monkeypatch):
    """The page's code as `my_lab.widths`."""
    module = types.ModuleType("my_lab.widths")
    exec(re.search(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL).group(1), vars(module))
    monkeypatch.setitem(sys.modules, "my_lab", types.ModuleType("my_lab"))
    monkeypatch.setitem(sys.modules, "my_lab.widths", module)


def test_its_allocation_meets_the_target_and_narrows_with_depth(my_lab):
    channel_map = find_groups(build("plain", {"widths": [40, 40, 40], "in_channels": 1}).eval(), (1, 8, 8))
    problem = AllocationProblem(channel_map=channel_map, target=0.3, cost=ParameterCount(channel_map))
    found = allocate(find_allocator("my_lab.widths:deeper_is_narrower"), problem, {"steepness": 0.1})
    assert found.reached == pytest.approx(0.3, abs=0.01)
    widths = list(found.widths.values())
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[-1]


def test_its_sweep_is_one(tiny_sweep, write_sweep, monkeypatch):
    import yaml

    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    spec = load_sweep(write_sweep({**tiny_sweep, "methods": yaml.safe_load(text)}))
    assert spec.allocation_of("mine").arguments == {"steepness": 0.1}
