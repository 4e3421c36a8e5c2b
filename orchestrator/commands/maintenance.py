"""`orchard verify` and `orchard gc`: is the store whole, and what in it is not needed any more."""

import time
from collections.abc import Iterable, Sequence

import click

from jobs.errors import BadInputError, OrchardError
from orchestrator.results import SweepRecord
from orchestrator.results.reachability import needed
from orchestrator.store import ArtifactStore, open_store
from orchestrator.store.artifacts import sweep_path
from orchestrator.store.clearing import Kind, RetentionPolicy, clear, clearable
from orchestrator.store.files import Entry
from orchestrator.store.lease import living
from orchestrator.store.verification import verify as verify_store


def verify(storage: str, *, repair: bool) -> int:
    """Check a store and print what is wrong; returns the exit code: 1 where damage is left."""
    store = open_store(storage)
    found = verify_store(store)
    for key, problem in found.damaged.items():
        click.echo(f"{key}: {problem}")
    if found.unreferenced:
        click.echo(f"{_sum(found.unreferenced)} belong to no artifact; `orchard gc` removes them once they are old")
    click.echo(f"{store.uri}: {found.artifacts} artifacts, {found.blobs} files; {len(found.damaged)} artifacts damaged")
    if not found.damaged:
        return 0
    if not repair:
        click.echo("--repair puts the damaged ones aside, so that the next run of their sweep computes them again")
        return 1
    for key in found.damaged:
        store.quarantine(key)
    click.echo("they are put aside; the next run of their sweep computes them again")
    return 0


def collect_garbage(storage: str, *, delete: bool, older_than_hours: float, forget: Sequence[str]) -> None:
    """Print what no sweep needs, and remove it where asked.

    Raises:
        BadInputError: A sweep to forget is not there, or is running.
        OrchardError: Damage keeps this from telling what is needed, or a sweep began meanwhile.
    """
    store = open_store(storage)
    alive = living(store.files)
    running = {holding.term.sweep for holding in alive}
    _check_forget(store, forget, running)
    records = _records(store, forget)
    manifests, damaged = store.manifests(store.keys())
    if damaged:
        raise OrchardError(
            f"{store.uri}: {len(damaged)} manifests are damaged, so it is not known what they need; "
            "first put them aside: orchard verify --repair"
        )
    need = needed(records, manifests)
    begun_s = min([time.time(), *(holding.since_s for holding in alive)])
    stays = RetentionPolicy(
        keys=need.keys,
        any_key=bool(need.unplanned),
        sweeps=frozenset(record.name for record in records),
        since_s=begun_s - 3600 * older_than_hours,
    )
    found = clearable(store, manifests, stays)
    for kind in Kind:
        click.echo(f"{kind.value + ':':<24}{_sum(found[kind])}")
    if running:
        click.echo(f"running now, so that what is younger than they are stays: {', '.join(sorted(running))}")
    if need.unplanned:
        click.echo(
            f"all artifacts stay, for these sweeps are not finished and this version cannot tell what they need: "
            f"{', '.join(need.unplanned)}; run them to their end, or --forget them"
        )
    if not delete:
        click.echo("nothing was removed; --delete removes it")
        return
    if _records(store, forget) != records:
        raise OrchardError(f"{store.uri}: a sweep began meanwhile; nothing was removed, try again")
    for name in forget:
        store.files.delete(sweep_path(name))
    clear(store, found)
    click.echo("removed")


def _check_forget(store: ArtifactStore, forget: Iterable[str], running: set[str]) -> None:
    for name in forget:
        if name in running:
            raise BadInputError(f"sweep '{name}' is running; stop it first: orchard cancel {name}")
        store.read_sweep(name)


def _records(store: ArtifactStore, forget: Iterable[str]) -> list[SweepRecord]:
    return [SweepRecord.from_json(store.read_sweep(name)) for name in store.sweeps() if name not in set(forget)]


def _sum(entries: Sequence[Entry]) -> str:
    """How many, and how much."""
    return f"{len(entries)} ({sum(entry.size_bytes for entry in entries) / 1e6:.1f} MB)"
