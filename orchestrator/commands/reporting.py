"""`orchard report` and `orchard sync`: what the store has of a sweep, for people and for MLflow."""

from pathlib import Path

import click

from orchestrator.commands.locating import find_record
from orchestrator.holding import Hold
from orchestrator.orders import collect_orders
from orchestrator.results import collect
from orchestrator.store import Lease


def report(name: str, *, storage: str, out: str) -> None:
    """Write the report of a sweep and say where."""
    from orchestrator.report import write_report

    record, store = find_record(name, storage)
    curves = collect(record, store)
    for path in write_report(record, curves, collect_orders(curves, store), Path(out)):
        click.echo(str(path))


def sync(name: str, *, storage: str, tracking: str | None, rebuild: bool) -> None:
    """Log what the store has of a sweep, as its driver: two never log at once.

    Raises:
        LeaseHeldError: A driver runs the sweep; it logs by itself.
        TrackingUnavailableError: MLflow does not answer or refuses.
    """
    from orchestrator.report import report_files
    from orchestrator.tracking import log_sweep

    record, store = find_record(name, storage)
    with Hold(store, Lease.acquire(store.files, record.name)):
        curves = collect(record, store)
        tracked = log_sweep(
            record,
            curves,
            tracking_uri=tracking or str(record.spec["tracking"]),
            artifacts=report_files(record, curves, collect_orders(curves, store)),
            ended=True,
            rebuild=rebuild,
        )
    points = sum(len(curve.points) for curve in curves)
    click.echo(f"{record.name}: {points} points of {len(curves)} curves are in MLflow: {tracked.address}")
