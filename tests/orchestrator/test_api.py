import pytest

from jobs.errors import OrchardError
from orchestrator import load_results, load_sweep, run_sweep
from orchestrator.commands import running


@pytest.mark.slow
def test_a_sweep_runs_from_python_and_its_results_are_a_frame(tiny_sweep, write_sweep):
    path = write_sweep(tiny_sweep)
    run_sweep(path, ["seeds=[3]"], backend="inline")
    frame = load_results(path)
    assert set(frame.method) == set(load_sweep(path).methods)
    assert set(frame.seed) == {3}
    assert frame.accuracy.between(0, 1).all()
    assert frame.params.gt(0).all()


def test_a_run_that_does_not_end_is_an_error(monkeypatch):
    monkeypatch.setattr(running, "run", lambda *arguments, **settings: 3)
    with pytest.raises(OrchardError, match="quickstart: did not end \\(exit code 3\\)"):
        run_sweep("quickstart")
