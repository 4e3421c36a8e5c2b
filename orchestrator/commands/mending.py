"""Sets right what a dead driver left in MLflow, for the commands that look at a sweep."""

import time
from contextlib import suppress

import click

from jobs.errors import OrchardError
from orchestrator.driver.lease import LOST, TERMINATED
from orchestrator.executables import typed
from orchestrator.status import Driver, read_history
from orchestrator.store import ArtifactStore, Files
from orchestrator.store.journal import new_driver_name
from orchestrator.store.lease import has_ended
from orchestrator.store.terms import newest_term, read_lease


def driver_of(files: Files, sweep: str) -> Driver | None:
    """The driver that has a sweep's lease; `quiet_s` is approximate: it compares the store's and this host's clock."""
    term, _ = newest_term(files, sweep)
    entry = files.stat(term.path) if term else None
    if term is None or entry is None:
        return None
    record = read_lease(files, term)
    quiet_s = max(0.0, time.time() - entry.modified_s)
    alive = not record.released and quiet_s < record.ttl_s and not has_ended(record)
    return Driver(
        host=record.host,
        pid=record.pid,
        term=term.number,
        since_s=record.since_s,
        quiet_s=round(quiet_s, 1),
        alive=alive,
    )


def mend(sweep: str, store: ArtifactStore, driver: Driver | None) -> None:
    """Set right what a dead driver left, and say so beside the output."""
    if told := end_dead_runs(sweep, store, alive=driver is not None and driver.alive):
        click.echo(f"{sweep}: {told}", err=True)


def end_dead_runs(sweep: str, store: ArtifactStore, *, alive: bool) -> str:
    """End the runs in MLflow of a driver that died, or was stopped before it could: once, as the journal then says.

    A driver that starts meanwhile sets them to RUNNING again as it logs.

    Args:
        sweep: The sweep's name.
        store: Its store.
        alive: Whether its driver lives.

    Returns:
        What to tell; empty where there was nothing to do.
    """
    term, _ = newest_term(store.files, sweep)
    if alive or term is None:
        return ""
    history, released = read_history(store.files, sweep), read_lease(store.files, term).released
    run = history.run
    ended_well = released and run.ended and not run.abrupt and run.stopped not in (TERMINATED, LOST)
    if ended_well or history.closed >= term.number:
        return ""
    try:
        tracking = store.read_sweep(sweep)["spec"].get("tracking")
        if not tracking:
            return ""
        from orchestrator.tracking.ending import end_runs

        ended = end_runs(sweep, store.identity(), str(tracking))
        if ended is None:
            return ""
    except OrchardError as error:
        again = f"{typed('orchard')} sync {sweep} --storage {store.uri}"
        return f"its runs in MLflow may still be RUNNING: {error}; once it is back: {again}"
    name = new_driver_name(term.number)
    with suppress(OSError), store.open_journal(sweep, name) as journal:  # else the next look asks again
        journal.append("closed", term=term.number)
    return f"MLflow: {ended} runs that the dead driver left as RUNNING are now FAILED" if ended else ""
