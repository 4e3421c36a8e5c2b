import pytest
from chosen_networks import stored_results

from jobs.errors import OrchardError
from orchestrator import load_results, run_sweep
from orchestrator.commands import running
from orchestrator.store import open_store


def test_a_run_that_does_not_end_is_an_error(monkeypatch):
    monkeypatch.setattr(running, "run", lambda *arguments, **settings: 3)
    with pytest.raises(OrchardError, match="quickstart: did not end \\(exit code 3\\)"):
        run_sweep("quickstart")


@pytest.fixture
def results(tiny_sweep, write_sweep, tmp_path):
    """Of a sweep whose names and labels look like something else."""
    tiny_sweep["name"] = "None"
    tiny_sweep["models"] = {"NA": {**tiny_sweep["models"]["net"], "labels": {"run": "007", "rate": "nan"}}}
    tiny_sweep["models"]["null"] = {**tiny_sweep["models"]["NA"], "labels": {}}
    tiny_sweep["methods"] = {"dense": {"kind": "dense"}, "nan": {"kind": "criterion", "criterion": "l1"}}
    sweep = write_sweep(tiny_sweep)
    values = {("dense", 0.0): 0.9, ("nan", 0.2): 0.8}
    stored_results(open_store(tmp_path / "store"), sweep, values)
    return load_results(sweep)


def test_names_and_labels_are_as_the_sweep_has_them_whatever_they_look_like(results):
    assert set(results["sweep"]) == {"None"}
    assert set(results["model"]) == {"NA", "null"}
    assert set(results["method"]) == {"dense", "nan"}
    assert set(results["protocol"]) == {"none"}
    labelled = results[results["model"] == "NA"]
    assert (set(labelled["label.run"]), set(labelled["label.rate"])) == ({"007"}, {"nan"})
    assert results[results["model"] == "null"]["label.run"].isna().all()
    assert results[results["method"] == "nan"]["accuracy"].tolist() == [0.8, 0.8]
