from typing import Any

import pytest
from pydantic import BaseModel

from jobs.reference import sweep_reference
from jobs.spec.integral import IntegralTrainSpec
from jobs.spec.training import FineTuneSpec, TrainSpec
from jobs.yaml_loader import parse_yaml

TABLES = {part.partition("\n")[0]: part for part in sweep_reference().split("\n## ")}


def printed(record: type[BaseModel]) -> dict[str, str]:
    """Field -> the default that its table prints."""
    rows = [line.split(" | ") for line in TABLES[record.__name__].splitlines() if line.startswith("| `")]
    return {cells[0].removeprefix("| ").strip("`"): cells[2].strip("`") for cells in rows}


@pytest.mark.parametrize("record", [TrainSpec, FineTuneSpec, IntegralTrainSpec])
def test_the_defaults_of_trainings_are_those_that_it_prints(record):
    given: dict[str, Any] = {} if record is FineTuneSpec else {"epochs": 40}
    made = record(**given)
    expected = {name: getattr(made, name) for name in record.model_fields if name not in (*given, "settings")}
    found = printed(record)
    read = {name: parse_yaml(found[name])[0] for name in expected}
    assert read == {name: list(value) if isinstance(value, tuple) else value for name, value in expected.items()}


def test_settings_are_printed_by_their_contents():
    row = next(line for line in TABLES["Named settings"].splitlines() if line.startswith("| `cifar_fine_tune`"))
    assert "`augment: crop-flip`" in row
    assert "`epochs: 40`" in row


def test_a_list_of_several_kinds_is_told_from_a_single_one():
    row = next(line for line in TABLES["TrainSpec"].splitlines() if line.startswith("| `augment`"))
    kinds = "string or [TransformSpec](#transformspec)"
    assert row.split(" | ")[1] == f"{kinds} or list of ({kinds})"
