"""The notebook docs/examples/sweeps-from-python.ipynb runs, cell by cell, in this process and on a smaller sweep."""

import json
from pathlib import Path

import matplotlib
import pytest

from orchestrator import load_sweep

NOTEBOOK = Path(__file__).parents[2] / "docs" / "examples" / "sweeps-from-python.ipynb"
SMALLER = {
    "seeds: [0, 1]": "seeds: [0]\nmeasure: {reload: false}",
    "[16, 32]": "[8]",
    "epochs: 6": "epochs: 1",
    "0.2, 0.4, 0.6]": "0.4]",
}
"""What the test changes, so that it takes seconds."""


@pytest.mark.slow
def test_it_runs_and_its_results_are_a_frame(tmp_path, monkeypatch, empty_database, capsys):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "mlflow.db").write_bytes(empty_database)
    names: dict[str, object] = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            code = "".join(cell["source"])
            for large, small in SMALLER.items():
                code = code.replace(large, small)
            exec(compile(code.replace("0.2,0.4,0.5,0.6", "0.4"), NOTEBOOK.name, "exec"), names)
    frame = names["results"]
    assert set(frame.method) == set(load_sweep("digits.yaml").methods) == {"dense", "random", "l1", "integral"}
    assert set(frame.seed) == {0}
    assert frame.accuracy.between(0, 1).all()
    assert frame.params.gt(0).all()
    assert "Nothing to compute" in capsys.readouterr().out  # the second run asked for nothing new


def test_it_was_run_from_top_to_bottom_when_it_was_saved():
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert [out["output_type"] for cell in cells for out in cell["outputs"] if out["output_type"] == "error"] == []
