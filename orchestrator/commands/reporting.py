"""`orchard report` and `orchard sync`: what the store has of a sweep, for people and for MLflow."""

from pathlib import Path

import click

from jobs.load import load_sweep
from orchestrator.results import SweepRecord, collect
from orchestrator.store import ArtifactStore, open_store


def _find(name: str, storage: str) -> tuple[SweepRecord, ArtifactStore]:
    """A sweep by name, or by its file, which also says where its store is."""
    if name.endswith((".yaml", ".yml")):
        spec = load_sweep(name)
        name, storage = spec.name, spec.storage
    store = open_store(storage)
    return SweepRecord.from_json(store.read_sweep(name)), store


def report(name: str, *, storage: str, out: str) -> None:
    """Write the report of a sweep and say where."""
    from orchestrator.report import write_report

    record, store = _find(name, storage)
    for path in write_report(record, collect(record, store), Path(out)):
        click.echo(str(path))


def sync(name: str, *, storage: str, tracking: str | None) -> None:
    """Log what the store has of a sweep."""
    from orchestrator.report import report_files
    from orchestrator.tracking import log_sweep

    record, store = _find(name, storage)
    curves = collect(record, store)
    tracking_uri = tracking or str(record.spec["tracking"])
    tracked = log_sweep(record, curves, tracking_uri=tracking_uri, artifacts=report_files(record, curves), ended=True)
    points = sum(len(curve.points) for curve in curves)
    click.echo(f"{record.name}: {points} points of {len(curves)} curves are in MLflow: {tracked.address}")
