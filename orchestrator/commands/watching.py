"""`orchard status`, `orchard logs` and `orchard cancel`: look at what drivers do, and ask them to stop."""

import json
import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.live import Live

from orchestrator.commands.locating import find_attempts, find_sweep, only_key
from orchestrator.commands.showing import status_line, status_page, when
from orchestrator.commands.telling import attempt_heading, retries_page, story_lines
from orchestrator.status import (
    Driver,
    SweepStatus,
    keys_told_of,
    past_attempts,
    retries_of,
    status_of,
    story_of,
)
from orchestrator.store import ArtifactStore, Files, LeaseRecord, open_store
from orchestrator.store import cancel as ask_to_stop
from orchestrator.store.lease import has_ended
from orchestrator.store.terms import newest_term, read_holding

_WATCH_INTERVAL_S, _WAIT_INTERVAL_S = 2.0, 0.5
_LONGEST_WAIT_S = 120.0
_WIDEST = 1000


def status(name: str | None, *, storage: str, as_json: bool, watch: bool) -> None:
    """Print where one sweep stands, or a line for each that the store knows."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if name is None:
        store = open_store(storage)
        found = [_read(sweep, store) for sweep in store.sweeps()]
        if as_json:
            click.echo(json.dumps({"storage": store.uri, "sweeps": [each.to_json() for each in found]}, indent=2))
        for each in () if as_json else found:
            console.print(status_line(each))
        if not found and not as_json:
            console.print(f"{store.uri}: no sweep was run with this store")
        return
    sweep, store = find_sweep(name, storage)
    if watch:
        _watch(lambda: _read(sweep, store), console)
    elif as_json:
        click.echo(json.dumps(_read(sweep, store).to_json(), indent=2))
    else:
        console.print(status_page(_read(sweep, store)))


def retries(name: str, *, storage: str, as_json: bool) -> None:
    """Print the attempts of a sweep that failed and were tried again, or left to the next run.

    Raises:
        MissingArtifactError: The store knows no such sweep.
    """
    sweep, store = find_sweep(name, storage)
    if _driver(store.files, sweep) is None:
        store.read_sweep(sweep)
    found = retries_of(past_attempts(sweep, store.read_journal(sweep)))
    if as_json:
        click.echo(json.dumps({"sweep": sweep, "retries": [each.to_json() for each in found]}, indent=2))
        return
    console = Console(highlight=False, markup=False)
    page = retries_page(sweep, found)
    console.width = max(console.width, console.measure(page, options=console.options.update(width=_WIDEST)).maximum)
    console.print(page)


def logs(task: str, *, storage: str) -> None:
    """Print the story of a task, then what its attempts logged, newest last.

    Raises:
        BadInputError: No task, or several, have a key that begins like this.
    """
    store = open_store(storage)
    attempts = list(find_attempts(task, store))
    keys = {*(key for each in attempts for key in keys_told_of(each)), *store.files.names("logs"), *store.find(task)}
    key = only_key(task, keys, unknown=f"no task {task} in {store.uri}; name its store (--storage)")
    story = story_of(key, attempts)
    kept = {log.address: log for log in store.logs(key)}
    parts = []
    for attempt in story.attempts:
        if attempt.log:
            log = kept.pop(attempt.log, None)
            parts.append((attempt.ended_s, attempt_heading(attempt), log.text if log else "this log is not there"))
    parts += [(log.written_s, f"{log.address}, {when(log.written_s)}", log.text) for log in kept.values()]
    for line in story_lines(story):
        click.echo(line)
    if not story.attempts and not parts:
        click.echo(f"{key}: no attempt of it is in a journal of {store.uri}, and it left no log")
    for _, heading, text in sorted(parts):
        click.echo("\n".join([f"== {heading}", *([text.rstrip("\n")] if text else [])]))


def cancel(name: str, *, storage: str, wait: bool) -> int:
    """Ask the driver of a sweep to stop; returns the exit code: 1 where it was waited for and has not ended.

    Raises:
        MissingArtifactError: The store knows no such sweep.
    """
    sweep, store = find_sweep(name, storage)
    holding = ask_to_stop(store.files, sweep)
    if holding is None:
        store.read_sweep(sweep)
        click.echo(f"{sweep}: no driver runs it; nothing was asked to stop")
        return 0
    driver = f"process {holding.pid} on {holding.host}"
    if has_ended(holding):
        click.echo(f"{sweep}: its driver, {driver}, has died; nothing was asked to stop")
        return 0
    click.echo(f"{sweep}: asked {driver} to stop; it has held the sweep since {when(holding.since_s)}")
    if not wait:
        return 0
    if _wait_for_end(store.files, holding):
        click.echo(f"{sweep}: {driver} has ended; what was finished is kept, and `orchard run` goes on from there")
        return 0
    click.echo(
        f"{sweep}: {driver} has not ended after {_LONGEST_WAIT_S:.0f} s; if it hangs, end that process: the next "
        "driver takes the sweep over"
    )
    return 1


def _read(sweep: str, store: ArtifactStore) -> SweepStatus:
    driver = _driver(store.files, sweep)
    cap = None
    if driver is None or sweep in store.sweeps():  # a first driver that still plans has not written it
        cap = store.read_sweep(sweep)["spec"].get("budget", {}).get("gpu_hours")
    return status_of(sweep, store.read_journal(sweep), driver=driver, gpu_hours_cap=cap, now_s=time.time())


def _driver(files: Files, sweep: str) -> Driver | None:
    """Who holds a sweep, for people: its silence is told by two clocks, the store's and this machine's."""
    term, _ = newest_term(files, sweep)
    entry = files.stat(term.path) if term else None
    if term is None or entry is None:
        return None
    holding = read_holding(files, term)
    quiet_s = max(0.0, time.time() - entry.modified_s)
    alive = not holding.released and quiet_s < holding.ttl_s and not has_ended(holding)
    return Driver(
        host=holding.host,
        pid=holding.pid,
        term=term.number,
        since_s=holding.since_s,
        quiet_s=round(quiet_s, 1),
        alive=alive,
    )


def _watch(read: Callable[[], SweepStatus], console: Console) -> None:
    """Redraw until the driver has ended; a journal that takes long to read is read less often."""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            started_s = time.monotonic()
            found = read()
            live.update(status_page(found), refresh=True)
            if found.driver is None or not found.driver.alive:
                return
            time.sleep(max(_WATCH_INTERVAL_S, time.monotonic() - started_s))


def _wait_for_end(files: Files, holding: LeaseRecord) -> bool:
    """Whether a driver lets go of its sweep, dies, or is followed by another, in the time that is given to it."""
    deadline_s = time.monotonic() + _LONGEST_WAIT_S
    while time.monotonic() < deadline_s:
        newest, _ = newest_term(files, holding.term.sweep)
        if newest != holding.term or read_holding(files, holding.term).released or has_ended(holding):
            return True
        time.sleep(_WAIT_INTERVAL_S)
    return False
