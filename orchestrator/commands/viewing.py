"""`orchard ui`: MLflow's pages of a sweep, served from its database."""

import signal
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from jobs.errors import BadInputError
from jobs.spec.sweep import SweepSpec
from orchestrator.commands.locating import find_record, find_sweep
from orchestrator.commands.mending import driver_of, mend
from orchestrator.executables import typed
from orchestrator.results.records import read_records
from orchestrator.store import open_store
from orchestrator.tracking.address import check_usable, is_server, pages, resolved, shown
from orchestrator.tracking.experiment import sweep_page
from orchestrator.tracking.server import serving

_LIST = "/experiments"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def view(name: str | None, *, storage: str, tracking: str | None, port: int | None, browser: bool) -> None:
    """Serve MLflow until Ctrl-C, and open the charts of a sweep; a server that runs elsewhere is only opened.

    Args:
        name: The sweep's name, or its file; None: the list of all sweeps.
        storage: The store, for a sweep given by name.
        tracking: MLflow's tracking URI; default: the sweep's.
        port: The port to serve at; None: 5000, or any that is free.
        browser: Open the address in a browser.

    Raises:
        BadInputError: The sweep is not in that MLflow, the sweeps of the store are in several, or the port is taken.
        TrackingUnavailableError: MLflow does not answer or refuses.
    """
    uri = tracking or _tracking(name, storage)
    check_usable(uri)
    if tracking is None:
        _mend(name, storage)
    page = _LIST if name is None else _page(name, storage, uri)
    place = resolved(uri)
    if is_server(place):
        _open(f"{pages(place)}/#{page}", browser=browser)
        return
    with _ended_by_signals():
        try:
            click.echo("starting MLflow ...")
            with serving(place, port) as (address, process):
                _open(f"{address}/#{page}", browser=browser)
                click.echo("Ctrl-C ends it.")
                process.wait()
        except KeyboardInterrupt:
            click.echo("ended")


def _tracking(name: str | None, storage: str) -> str:
    """The tracking URI of a sweep; without a name, that of all sweeps of the store."""
    if name is not None:
        return str(find_record(name, storage)[0].spec["tracking"])
    store = open_store(storage)
    records, _ = read_records(store, store.sweeps())
    found = sorted({str(record.spec["tracking"]) for record in records})
    if len(found) > 1:
        raise BadInputError(
            f"the sweeps of {store.uri} are in several MLflows ({', '.join(map(shown, found))}); name a sweep, or one "
            "of these with --tracking"
        )
    return found[0] if found else str(SweepSpec.model_fields["tracking"].default)


def _mend(name: str | None, storage: str) -> None:
    """Set right what dead drivers left in MLflow: that of one sweep, or those of all sweeps of the store."""
    sweep, store = find_sweep(name, storage) if name is not None else (None, open_store(storage))
    for each in store.sweeps() if sweep is None else [sweep]:
        mend(each, store, driver_of(store.files, each))


def _page(name: str, storage: str, uri: str) -> str:
    """The path of a sweep's charts; says so where an earlier version logged it."""
    record, store = find_record(name, storage)
    page, viewed = sweep_page(record.name, store.identity(), tracking_uri=uri)
    again = f"{typed('orchard')} sync {record.name} --storage {store.uri}"
    if page is None:
        raise BadInputError(f"{record.name} is not in MLflow at {shown(uri)}; log it: {again}")
    if not viewed:
        click.echo(f"{record.name} has no views: it measured nothing yet, or an earlier version logged it; {again}")
    return page


def _open(address: str, *, browser: bool) -> None:
    click.echo(f"MLflow: {address}")
    if browser:
        webbrowser.open(address)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Signals that would end this process at once end the block as Ctrl-C does, so that no child is left."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {signum: signal.signal(signum, interrupt) for signum in _ENDING}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
