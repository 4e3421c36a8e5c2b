"""`orchard status`, `orchard logs` and `orchard cancel`: show the progress of drivers, and ask them to stop."""

import json
import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.live import Live

from jobs.identity import Parsed
from orchestrator.commands.locating import find_attempts, find_sweep, resolve_key
from orchestrator.commands.mending import driver_of, mend
from orchestrator.commands.status_text import status_line, status_page, when
from orchestrator.commands.story_text import attempt_heading, retries_page, story_lines
from orchestrator.status import (
    SweepStatus,
    past_attempts,
    read_history,
    related_keys,
    retries_of,
    status_of,
    story_of,
)
from orchestrator.store import ArtifactStore, Files, LeaseRecord, open_store
from orchestrator.store import cancel as ask_to_stop
from orchestrator.store.lease import has_ended
from orchestrator.store.records import UnreadableRecordError
from orchestrator.store.terms import newest_term, read_lease

_WATCH_INTERVAL_S, _WAIT_INTERVAL_S = 2.0, 0.5
_LONGEST_WAIT_S = 120.0
_LONGEST_START_S = 600.0
_WIDEST = 1000


def status(name: str | None, *, storage: str, as_json: bool, watch: bool) -> None:
    """Print the status of one sweep, or a line for each sweep in the store."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if name is None:
        store = open_store(storage)
        found = [_read(sweep, store) for sweep in store.sweeps()]
        if as_json:
            click.echo(json.dumps({"storage": store.uri, "sweeps": [each.to_json() for each in found]}, indent=2))
        for each in () if as_json else found:
            console.print(status_line(each))
        for each in found:
            mend(each.sweep, store, each.driver)
        if not found and not as_json:
            console.print(f"{store.uri}: no sweep was run with this store")
        return
    sweep, store = find_sweep(name, storage)
    if watch:
        _await_driver(sweep, store)
        read = _watch(lambda: _read(sweep, store), console)
    else:
        read = _read(sweep, store)
        if as_json:
            click.echo(json.dumps(read.to_json(), indent=2))
        else:
            console.print(status_page(read))
    mend(read.sweep, store, read.driver)


def retries(name: str, *, storage: str, as_json: bool) -> None:
    """Print the attempts of a sweep that failed and were retried, or left to the next run.

    Raises:
        MissingArtifactError: The store has no such sweep.
    """
    sweep, store = find_sweep(name, storage)
    if driver_of(store.files, sweep) is None and sweep not in store.sweeps():
        store.read_sweep(sweep)  # its error names those that are there
    found = retries_of(past_attempts(sweep, store.read_journal(sweep, ('"start"', '"failed"'))))
    if as_json:
        click.echo(json.dumps({"sweep": sweep, "retries": [each.to_json() for each in found]}, indent=2))
        return
    console = Console(highlight=False, markup=False)
    page = retries_page(sweep, found)
    console.width = max(console.width, console.measure(page, options=console.options.update(width=_WIDEST)).maximum)
    console.print(page)


def logs(task: str, *, storage: str) -> None:
    """Print the attempts of a task, then their logs, newest last.

    Raises:
        BadInputError: The prefix matches no task or several.
    """
    store = open_store(storage)
    attempts = list(find_attempts(task, store))
    keys = {*(key for each in attempts for key in related_keys(each)), *store.files.names("logs"), *store.find(task)}
    key = resolve_key(
        task,
        keys,
        unknown=f"no task {task} in {store.uri}; give the beginning of its key, as `log:` names it, and its "
        "store (--storage)",
    )
    story = story_of(key, attempts)
    kept = {log.address: log for log in store.logs(key)}
    parts = []
    for attempt in story.attempts:
        if attempt.log:
            log = kept.pop(attempt.log, None)
            parts.append((attempt.ended_s, attempt_heading(attempt), log.text if log else "this log is missing"))
    parts += [(log.written_s, f"{log.address}, {when(log.written_s)}", log.text) for log in kept.values()]
    for line in story_lines(story):
        click.echo(line)
    if not story.attempts and not parts:
        click.echo(f"{key}: no journal of {store.uri} has an attempt of it, and it has no log")
    for _, heading, text in sorted(parts):
        click.echo("\n".join([f"== {heading}", *([text.rstrip("\n")] if text else [])]))


def cancel(name: str, *, storage: str, wait: bool) -> int:
    """Ask the driver of a sweep to stop; returns the exit code: 1 where `wait` timed out.

    Raises:
        MissingArtifactError: The store has no such sweep.
    """
    sweep, store = find_sweep(name, storage)
    record = ask_to_stop(store.files, sweep)
    if record is None:
        store.read_sweep(sweep)
        click.echo(f"{sweep}: no driver runs it; nothing was asked to stop")
        return 0
    driver = f"process {record.pid} on {record.host}"
    if has_ended(record):
        click.echo(f"{sweep}: its driver, {driver}, has died; nothing was asked to stop")
        return 0
    click.echo(f"{sweep}: asked {driver} to stop; it has held the sweep since {when(record.since_s)}")
    if not wait:
        return 0
    if _wait_for_end(store.files, record):
        click.echo(f"{sweep}: {driver} has ended; finished results are kept, and `orchard run` continues")
        return 0
    click.echo(
        f"{sweep}: {driver} has not ended after {_LONGEST_WAIT_S:.0f} s; if it hangs, end that process: the next "
        "driver takes the sweep over"
    )
    return 1


def _read(sweep: str, store: ArtifactStore) -> SweepStatus:
    driver = driver_of(store.files, sweep)
    cap, problem = None, ""
    if driver is None or sweep in store.sweeps():  # the first driver has not written it while it still plans
        try:
            cap = _gpu_hours_cap(store.read_sweep(sweep))
        except UnreadableRecordError as error:
            problem = str(error)
    history = read_history(store.files, sweep)
    return status_of(sweep, history, driver=driver, gpu_hours_cap=cap, now_s=time.time(), problem=problem)


def _gpu_hours_cap(record: Parsed) -> float | None:
    """The budget in a sweep's record; None where it has none, or one without a digest has something else there."""
    budget = record["spec"].get("budget")
    cap = budget.get("gpu_hours") if isinstance(budget, dict) else None
    return cap if isinstance(cap, int | float) else None


def _watch(read: Callable[[], SweepStatus], console: Console) -> SweepStatus:
    """Redraw until the driver has ended, and return the last status; what is slow to read is read less often."""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            started_s = time.monotonic()
            found = read()
            live.update(status_page(found), refresh=True)
            if found.driver is None or not found.driver.alive:
                return found
            time.sleep(max(_WATCH_INTERVAL_S, time.monotonic() - started_s))


def _await_driver(sweep: str, store: ArtifactStore) -> None:
    """Wait until the store knows a sweep that may just have been submitted: its job starts in seconds or minutes.

    Raises:
        MissingArtifactError: No driver has come within `_LONGEST_START_S`.
    """
    deadline_s = time.monotonic() + _LONGEST_START_S
    told = False
    while driver_of(store.files, sweep) is None and sweep not in store.sweeps():
        if time.monotonic() >= deadline_s:
            store.read_sweep(sweep)  # its error names those that are there
        if not told:
            told = True
            click.echo(
                f"{sweep}: is not in {store.uri} yet; waiting {_LONGEST_START_S / 60:.0f} minutes at most for its "
                "driver (Ctrl-C ends this)",
                err=True,
            )
        time.sleep(_WATCH_INTERVAL_S)


def _wait_for_end(files: Files, record: LeaseRecord) -> bool:
    """Whether a driver releases its lease, dies, or is superseded within `_LONGEST_WAIT_S`."""
    deadline_s = time.monotonic() + _LONGEST_WAIT_S
    while time.monotonic() < deadline_s:
        newest, _ = newest_term(files, record.term.sweep)
        if newest != record.term or read_lease(files, record.term).released or has_ended(record):
            return True
        time.sleep(_WAIT_INTERVAL_S)
    return False
