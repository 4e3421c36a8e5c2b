"""A real PostgreSQL, reached directly: what drivers at once, a wrong password and a server that was killed come to."""

import time
from threading import Thread
from uuid import uuid4

import psycopg2
import pytest
from tracked_curves import log, make_curve, runs_of
from waiting import until

from benchmarks.chaos.postgresql import PASSWORD
from orchestrator.tracking import TrackingUnavailableError
from orchestrator.tracking.address import _MAKING_LOCK, resolved


@pytest.fixture
def name(postgres) -> str:
    """A new database."""
    name = f"mlflow{uuid4().hex}"
    postgres.execute("postgres", f"create database {name}")
    return name


@pytest.fixture
def address(postgres, name, monkeypatch) -> str:
    """Its address, as a sweep file has it."""
    monkeypatch.setenv("DATABASE_PASSWORD", PASSWORD)
    return postgres.address(name, "${DATABASE_PASSWORD}")


def test_of_two_drivers_that_find_an_empty_database_one_makes_the_tables(postgres, address, name):
    with psycopg2.connect(postgres.address(name)) as other, other.cursor() as cursor:
        cursor.execute(f"select pg_advisory_xact_lock({_MAKING_LOCK})")  # as a driver has it that makes tables
        ours = Thread(target=log, args=(address, make_curve()))
        ours.start()
        until(lambda: postgres.execute(name, "select 1 from pg_locks where locktype = 'advisory' and not granted"))
        assert postgres.execute(name, "select 1 from pg_tables where tablename = 'experiments'") == []
        other.commit()
        ours.join(60)
    other.close()
    assert [run.info.status for run in runs_of(resolved(address))] == ["FINISHED"]


@pytest.mark.parametrize(("database", "password"), [("nothing", PASSWORD), ("postgres", "wrong")])
def test_what_the_server_refuses_is_said_at_once(postgres, database, password):
    start = time.monotonic()
    with pytest.raises(TrackingUnavailableError, match=r'(database "nothing" does not exist|authentication failed)'):
        log(postgres.address(database, password), make_curve())
    assert time.monotonic() - start < 30  # not after the 100 s for which MLflow tries again


def test_a_server_that_was_killed_is_used_again_by_the_same_process(postgres, address, caplog):
    log(address, make_curve(measured=(0.2,)))
    postgres.kill()
    with pytest.raises(
        TrackingUnavailableError, match=r"postgresql\+psycopg2://orchard:\*\*\*@127.0.0.1.*orchard sync"
    ):
        log(address, make_curve())
    postgres.start()
    log(address, make_curve(), ended=True)
    assert [run.info.status for run in runs_of(resolved(address))] == ["FINISHED"]
    assert caplog.records == []  # no traceback of MLflow's
