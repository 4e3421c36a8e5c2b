import importlib
import pkgutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from plain_tasks import PlainParams

import jobs.stages
from jobs.stages import table
from jobs.stages.base import JoiningParams, StageParams
from jobs.stages.table import StageKind, stage_for, stage_of

STAGES = Path(__file__).parents[3] / "workers" / "stages"


def records_of(base: type) -> set[type]:
    """The records of parameters that the package `jobs.stages` defines."""
    for module in pkgutil.iter_modules(jobs.stages.__path__):
        importlib.import_module(f"jobs.stages.{module.name}")
    below = {each for record in base.__subclasses__() for each in ({record} | records_of(record))}
    ours = {each for each in below if each.__module__.startswith("jobs.stages.")}
    # A slotted dataclass replaces the class that was written, which lives on for a while.
    return {each for each in ours if getattr(sys.modules[each.__module__], each.__name__) is each} - {JoiningParams}


@pytest.mark.parametrize("stage", StageKind)
def test_every_row_is_complete(stage):
    row = stage.row
    assert issubclass(row.params, StageParams)
    assert row.version >= 1
    assert row.assumed_s > 0
    assert row.resources.num_cpus > 0
    assert row.accelerated == (row.resources.num_gpus > 0)


@pytest.mark.parametrize("stage", StageKind)
def test_every_stage_has_a_module_that_runs_it(stage):
    source = (STAGES / f"{stage.value}.py").read_text()
    assert f"\ndef run(context: Context[{stage.row.params.__name__}]) -> Product:\n" in source


def test_every_module_that_runs_a_stage_has_a_row():
    modules = {path.stem for path in STAGES.glob("*.py") if not path.stem.startswith("_")}
    assert modules == {stage.value for stage in StageKind}


def test_every_record_of_parameters_is_in_one_row():
    assert Counter(stage.row.params for stage in StageKind) == Counter(records_of(StageParams))


def test_a_stage_is_found_by_its_name_and_by_its_parameters():
    for stage in StageKind:
        assert StageKind(stage.value) is stage
        assert stage_for(stage.row.params) is stage
        assert stage_of(object.__new__(stage.row.params)) is stage


def test_records_of_no_row_have_no_stage():
    with pytest.raises(KeyError):
        stage_of(PlainParams())
    with pytest.raises(ValueError, match="sharpen"):
        StageKind("sharpen")


def table_with(member: str) -> dict[str, Any]:
    """What the module of the table holds when a stage is written into it."""
    source = Path(table.__file__).read_text()
    assert "    TRAIN = " in source
    namespace: dict[str, Any] = {"__name__": "table_with_another_stage"}
    exec(source.replace("    TRAIN = ", f"    {member}\n    TRAIN = "), namespace)
    return namespace


ROW = {"params": "StageParams", "version": "1", "resources": "_CPU", "assumed_s": "1.0"}


def row(**fields: str) -> str:
    return f"StageRow({', '.join(f'{name}={value}' for name, value in fields.items())})"


def test_a_stage_with_a_row_can_be_added():
    sharpen = table_with(f'SHARPEN = "sharpen", {row(**ROW)}')["StageKind"]("sharpen")
    assert (sharpen.row.params, sharpen.row.accelerated) == (StageParams, False)


@pytest.mark.parametrize("member", ['SHARPEN = "sharpen"', 'SHARPEN = "sharpen", None'])
def test_a_stage_without_a_row_is_refused(member):
    with pytest.raises(TypeError, match="stage 'sharpen' has no row; give it one in the table"):
        table_with(member)


@pytest.mark.parametrize("lacking", ROW)
def test_a_row_that_lacks_something_is_refused(lacking):
    fields = {name: value for name, value in ROW.items() if name != lacking}
    with pytest.raises(TypeError, match=lacking):
        table_with(f'SHARPEN = "sharpen", {row(**fields)}')
