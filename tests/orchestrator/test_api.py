import pytest

from jobs.errors import OrchardError
from orchestrator import run_sweep
from orchestrator.commands import running


def test_a_run_that_does_not_end_is_an_error(monkeypatch):
    monkeypatch.setattr(running, "run", lambda *arguments, **settings: 3)
    with pytest.raises(OrchardError, match="quickstart: did not end \\(exit code 3\\)"):
        run_sweep("quickstart")
