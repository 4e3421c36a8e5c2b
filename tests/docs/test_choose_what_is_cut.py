"""The sweeps of the how-to on what is cut load as they stand there, and its table is what the command prints."""

import re
from pathlib import Path

import pytest
import yaml

from jobs.load import load_sweep
from orchestrator.commands.grouping import groups

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "choose-what-is-cut.md"
LIMITS, NARROWER, ROUNDS = (
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
)


def test_its_table_is_that_of_its_limits(tiny_sweep, write_sweep, capsys):
    groups(str(write_sweep({**tiny_sweep, **LIMITS})), None, [], method=None, as_json=False)
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if "conv" in line]
    written = [" ".join(line.split()) for line in PAGE.read_text().splitlines() if line.startswith("      ")]
    assert [line for line in written if "conv" in line] == printed


def test_its_narrower_limits_are_merged(tiny_sweep, write_sweep):
    net = {**tiny_sweep["models"]["net"], **NARROWER["models"]["net"]}
    spec = load_sweep(write_sweep({**tiny_sweep, "prune": {"multiple": 8}, **NARROWER, "models": {"net": net}}))
    assert spec.prune_of("net", "l1").model_dump(exclude_none=True) == {
        "keep": ("conv1",),
        "multiple": {"*": 8},
        "floor": {"*": 4},
    }
    assert spec.prune_of("net", "integral").only == ("layer2",)


@pytest.mark.parametrize(("method", "rounds"), [("gradual", 5), ("refitted", 2)])
def test_its_rounds_are_a_sweep(tiny_sweep, write_sweep, method, rounds):
    spec = load_sweep(write_sweep({**tiny_sweep, **ROUNDS}))
    assert spec.methods[method].rounds == rounds
