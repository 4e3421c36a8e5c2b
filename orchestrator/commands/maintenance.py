"""`orchard verify` and `orchard gc`: checks the integrity of a store and removes what is no longer needed."""

import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext

import click

from jobs.errors import BadInputError, OrchardError
from orchestrator.driver.lease import DriverLease
from orchestrator.results import SweepRecord
from orchestrator.results.reachability import needed
from orchestrator.results.records import read_records
from orchestrator.store import ArtifactStore, LeaseTerm, open_store
from orchestrator.store.artifacts import sweep_path
from orchestrator.store.catalog import Catalog
from orchestrator.store.claim import acquire_claim
from orchestrator.store.clearing import Kind, RetentionPolicy, clear, clearable
from orchestrator.store.lease import live_leases
from orchestrator.store.verification import verify as verify_store


def verify(storage: str, *, repair: bool) -> int:
    """Check a store and print the damage; returns the exit code: 1 where damage is left."""
    store = open_store(storage)
    found = verify_store(store)
    for key, problem in found.damaged.items():
        click.echo(f"{key}: {problem}")
    if found.unreferenced:
        size = _sum(found.unreferenced, found.unreferenced_bytes)
        click.echo(f"{size} belong to no artifact; `orchard gc` removes them once they are old")
    for sweep, count in found.unreadable_entries.items():
        click.echo(
            f"journal of '{sweep}': {count} lines cannot be read; they are passed over, and no result needs them"
        )
    for problem in (*found.unreadable_summaries.values(), *found.unreadable_records.values()):
        click.echo(problem)
    click.echo(f"{store.uri}: {found.artifacts} artifacts, {found.blobs} files; {len(found.damaged)} artifacts damaged")
    if not found.damaged:
        return 1 if found.unreadable_records else 0
    if not repair:
        click.echo("--repair quarantines the damaged ones, so that the next run of their sweep computes them again")
        return 1
    for key in found.damaged:
        store.quarantine(key)
    click.echo("they are quarantined; the next run of their sweep computes them again")
    return 1 if found.unreadable_records else 0


def collect_garbage(storage: str, *, delete: bool, older_than_hours: float, forget: Sequence[str]) -> None:
    """Print what no sweep needs, and delete it on request.

    Raises:
        BadInputError: A sweep to forget does not exist or is running.
        LeaseHeldError: Another process deletes from this store.
        OrchardError: Manifests are damaged, so that it is unknown what is needed, or a sweep was recorded meanwhile.
    """
    store = open_store(storage)
    with DriverLease(store, acquire_claim(store.files)) if delete else nullcontext():  # no driver starts inside
        _collect(store, delete=delete, older_than_hours=older_than_hours, forget=forget)


def _collect(store: ArtifactStore, *, delete: bool, older_than_hours: float, forget: Sequence[str]) -> None:
    alive = live_leases(store.files)
    running = {lease.term.sweep for lease in alive}
    _check_forget(store, forget, running)
    records, unreadable = _records(store, forget)
    catalog = Catalog(store)
    if catalog.damaged:
        raise OrchardError(
            f"{store.uri}: {catalog.damaged} manifests are damaged, so it is unknown what they need; "
            "quarantine them first: orchard verify --repair"
        )
    need = needed(records, catalog)
    starting = sorted(lease.term.sweep for lease in alive if not _has_recorded(store, lease.term))
    begun_s = min([time.time(), *(lease.since_s for lease in alive)])
    policy = RetentionPolicy(
        keys=need.keys,
        any_key=bool(need.unplanned or unreadable or starting),
        sweeps=frozenset([*unreadable, *(record.name for record in records)]),
        since_s=begun_s - 3600 * older_than_hours,
    )
    found = clearable(store, catalog, policy)
    for kind in Kind:
        click.echo(f"{kind.value + ':':<24}{_sum(len(found[kind]), sum(entry.size_bytes for entry in found[kind]))}")
    if running:
        click.echo(f"running now, so everything younger than their drivers is kept: {', '.join(sorted(running))}")
    if need.unplanned:
        click.echo(
            f"all artifacts are kept, because these sweeps are not finished and this version cannot plan them: "
            f"{', '.join(need.unplanned)}; run them to their end, or --forget them"
        )
    if starting:
        click.echo(f"all artifacts are kept, because it is unknown what these need: {', '.join(starting)} (starting)")
    for problem in unreadable.values():
        click.echo(f"all artifacts are kept: {problem}; or --forget it")
    if not delete:
        click.echo("nothing was deleted; add --delete to delete it")
        return
    if _records(store, forget) != (records, unreadable):
        raise OrchardError(f"{store.uri}: a sweep was recorded meanwhile; nothing was deleted, try again")
    for name in forget:
        store.files.delete(sweep_path(name))
    clear(store, found)
    click.echo("deleted")


def _has_recorded(store: ArtifactStore, term: LeaseTerm) -> bool:
    """Whether the driver of a term has written what its sweep needs: it begins its journal afterwards."""
    entries = store.read_journal(term.sweep, ['"start"'])
    return any(entry["kind"] == "start" and entry["term"] == term.number for entry in entries)


def _check_forget(store: ArtifactStore, forget: Iterable[str], running: set[str]) -> None:
    known = store.sweeps()
    for name in forget:
        if name in running:
            raise BadInputError(f"sweep '{name}' is running; stop it first: orchard cancel {name}")
        if name not in known:
            store.read_sweep(name)  # its error names those that are there


def _records(store: ArtifactStore, forget: Iterable[str]) -> tuple[list[SweepRecord], dict[str, str]]:
    """The records of the sweeps to keep, and what is wrong with those that cannot be read."""
    return read_records(store, (name for name in store.sweeps() if name not in set(forget)))


def _sum(count: int, size_bytes: int) -> str:
    """Number and total size of files."""
    return f"{count} ({size_bytes / 1e6:.1f} MB)"
