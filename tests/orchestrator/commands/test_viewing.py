"""Which page `orchard ui` opens, and what it says where there is none."""

from contextlib import contextmanager

import pytest
from tracked_curves import log, make_curve, make_record

from jobs.errors import BadInputError
from orchestrator.commands import viewing
from orchestrator.commands.viewing import view
from orchestrator.store import open_store


class Ended:
    """A server that has ended."""

    def wait(self):
        """Return at once."""


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The addresses that were opened in a browser; nothing is served."""

    @contextmanager
    def serving(uri, port):
        yield f"http://127.0.0.1:{port or 5000}", Ended()

    addresses: list[str] = []
    monkeypatch.setattr(viewing, "serving", serving)
    monkeypatch.setattr("webbrowser.open", addresses.append)
    return addresses


@pytest.fixture
def storage(tmp_path, database) -> str:
    """A store with a sweep whose MLflow is that database."""
    record = make_record(make_curve()).to_json()
    spec = {"name": "quick", "tracking": database}
    open_store(tmp_path / "store").write_sweep("quick", {**record, "spec": spec})
    return str(tmp_path / "store")


def ui(name, storage, *, tracking=None, port=None, browser=True):
    view(name, storage=storage, tracking=tracking, port=port, browser=browser)


def test_the_charts_of_a_sweep_are_opened_in_its_first_view(storage, database, opened, capsys):
    tracked = log(database, make_curve())
    ui("quick", storage)
    assert opened == [tracked.address]
    assert f"MLflow: {tracked.address}\nCtrl-C ends it.\n" in capsys.readouterr().out
    ui("quick", storage, port=5055, browser=False)
    assert len(opened) == 1
    assert "http://127.0.0.1:5055/#/experiments/" in capsys.readouterr().out


def test_without_a_name_the_list_of_sweeps_is_opened(storage, opened):
    ui(None, storage)
    assert opened == ["http://127.0.0.1:5000/#/experiments"]


def test_a_sweep_that_mlflow_lacks_is_told_how_to_be_logged(storage, opened):
    with pytest.raises(BadInputError, match=r"quick is not in MLflow at sqlite:.*; log it: .*orchard sync quick"):
        ui("quick", storage)
    assert opened == []


def test_a_sweep_without_views_is_opened_with_a_word(storage, database, opened, capsys):
    log(database, make_curve(measured=()))
    ui("quick", storage)
    assert opened[0].endswith("/runs?compareRunsMode=CHART")
    assert "quick has no views" in capsys.readouterr().out


def test_sweeps_in_several_mlflows_need_a_name(storage, opened):
    record = make_record(make_curve()).to_json()
    spec = {"name": "other", "tracking": "sqlite:////elsewhere.db"}
    open_store(storage).write_sweep("other", {**record, "name": "other", "spec": spec})
    with pytest.raises(BadInputError, match="in several MLflows"):
        ui(None, storage)


def test_a_server_elsewhere_is_opened_and_nothing_is_served(storage, opened):
    ui(None, storage, tracking="http://me:secret@mlflow.example:5000")
    assert opened == ["http://mlflow.example:5000/#/experiments"]
