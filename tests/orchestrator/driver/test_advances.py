import pytest

from jobs.outcome import Cause, Failed, Succeeded
from orchestrator.driver.advances import Advances
from orchestrator.store import open_store

KEY = "ab" * 16


def lost(cause=Cause.PREEMPTED):
    return Failed(key=KEY, cause=cause, message="the worker went away")


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path)


def test_a_loss_after_a_new_checkpoint_has_progressed(store):
    advances = Advances(store)
    store.save_checkpoint(KEY, b"epoch 1")
    assert [each.progressed for each in advances.noted([lost()])] == [True]
    assert [each.progressed for each in advances.noted([lost()])] == [False]  # the same one
    store.save_checkpoint(KEY, b"epoch 12")
    assert [each.progressed for each in advances.noted([lost()])] == [True]


def test_a_loss_without_a_checkpoint_has_not(store):
    assert Advances(store).noted([lost()]) == [lost()]


def test_other_outcomes_are_as_they_were(store):
    store.save_checkpoint(KEY, b"epoch 1")
    others = [lost(Cause.TRANSIENT), Succeeded(key=KEY, measurements={}, duration_s=1.0)]
    assert Advances(store).noted(others) == others


def test_a_store_that_is_away_shows_no_progress(store, monkeypatch):
    def away(key):
        raise OSError("no route to host")

    monkeypatch.setattr(store, "checkpoint_version", away)
    assert Advances(store).noted([lost()]) == [lost()]
