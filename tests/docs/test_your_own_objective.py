"""The code of the how-to runs as it stands there: another kind of problem, from its data to the report."""

import csv
import re
from pathlib import Path

import pytest
import torch
import yaml

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.stages.common import ObjectiveParams
from jobs.stages.table import StageKind
from orchestrator.commands.locating import find_record
from orchestrator.commands.reporting import report
from orchestrator.commands.running import run
from orchestrator.environment import read_environment
from orchestrator.planning import plan_sweep
from orchestrator.report import summarize
from orchestrator.results import collect
from workers.objectives import find_objective

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "your-own-objective.md"


@pytest.fixture
def sweep(write_sweep) -> Path:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    sweep = {"name": "denoising", "compressions": [0.5], **yaml.safe_load(text)}
    sweep["methods"]["towards-dense"] = {"kind": "integral", "tune": {"steps": 6, "target": "dense"}}
    return write_sweep(sweep)


def test_every_task_that_asks_the_objective_names_it_and_its_source(my_lab, sweep):
    spec = load_sweep(str(sweep))
    plan = plan_sweep(spec, read_environment(spec, device="cpu"))
    asking = [task for task in plan.tasks.values() if hasattr(task.params, "objective")]
    assert {task.stage for task in asking} == {
        StageKind.TRAIN,
        StageKind.TUNE,
        StageKind.OBSERVE,
        StageKind.SENSE,
        StageKind.CHOOSE,
        StageKind.EVALUATE,
    }
    assert {task.params.objective.name for task in asking} == {spec.objective.name}
    assert all(task.params.objective.source for task in asking)


@pytest.mark.slow
def test_its_sweep_runs_and_its_report_speaks_of_its_metric(my_lab, sweep, tmp_path):
    torch.set_num_threads(1)
    assert run(str(sweep), [], backend="inline") == 0
    record, store = find_record(str(sweep), "")
    curves = collect(record, store)
    (metric,) = curves[0].points[0].objective
    assert metric == find_objective(ObjectiveParams(name="my_lab.denoising:denoising")).primary
    values = {(row.method, cell.asked): cell.value for row in summarize(curves).rows for cell in row.measured}
    # A network that learnt nothing leaves noise of 0.3 in place; the larger the cut, the more is left.
    assert values["dense", 0.0] < 0.18 < values["random", 0.5]
    assert values["integral", 0.5] < values["random", 0.5]
    report(str(sweep), storage="", out=str(tmp_path / "report"))
    page, _, _ = (tmp_path / "report" / "report.html").read_text().partition("<script")
    for words in ("RMSE by parameters asked to be removed", "RMSE against compression", "Area: mean RMSE", "rmse_best"):
        assert words in page
    assert "ccuracy" not in page
    points = list(csv.DictReader((tmp_path / "report" / "points.csv").open()))
    assert all(float(point["rmse"]) > 0 for point in points)
    lowest = min(points, key=lambda point: float(point["rmse"]))
    assert lowest["pareto"] == "yes"
    worst = max(points, key=lambda point: float(point["rmse"]))
    assert float(worst["rmse_change"]) > 0
    areas = [float(row["area"]) for row in csv.DictReader((tmp_path / "report" / "areas.csv").open())]
    assert areas == sorted(areas)  # best first
    assert [row["method"] for row in csv.DictReader((tmp_path / "report" / "areas.csv").open())][-1] == "random"


def test_an_unknown_objective_is_a_fault_of_the_file(tiny_sweep, write_sweep):
    with pytest.raises(InvalidFileError, match="did you mean 'classification'"):
        load_sweep(str(write_sweep({**tiny_sweep, "objective": "clasification"})))
