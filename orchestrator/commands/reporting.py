"""`orchard report`, `orchard sync` and `orchard template`: present a sweep's results from the store."""

from pathlib import Path

import click

from jobs.errors import BadInputError, nearest
from orchestrator.commands.locating import find_record
from orchestrator.driver.lease import DriverLease
from orchestrator.executables import typed
from orchestrator.results import Curve, SweepRecord, collect
from orchestrator.results.orders import collect_orders
from orchestrator.store import ArtifactStore, Lease
from orchestrator.tracking import TrackedSweep, log_sweep
from orchestrator.tracking.address import check_usable


def report(name: str, *, storage: str, out: str, by: str | None = None) -> None:
    """Write the report of a sweep, print its paths, and how a network of it is exported; raises as `by_label` does."""
    from orchestrator.report import collect_failures, collect_resources, write_report

    record, store = find_record(name, storage)
    curves = collect(record, store)
    orders, resources = collect_orders(curves, store), collect_resources(curves, store)
    lost = collect_failures(record, curves, store)
    for path in write_report(record, curves, orders, Path(out), resources, lost, by):
        click.echo(str(path))
    if any(curve.points for curve in curves):
        orchard, of = typed("orchard"), f"{record.name} --best --storage {store.uri}"
        click.echo(f"a network for MLflow's model registry: {orchard} register {of} --as {record.name}")
        click.echo(f"take one with you: {orchard} export {of} --out network")


def template(name: str, method: str, *, storage: str, model: str | None, compression: float | None) -> None:
    """Print a method's design as an allocation for other sweeps.

    Raises:
        BadInputError: The sweep has no such method or model, or has not measured it there.
    """
    from orchestrator.results.designs import collect_designs, largest_common
    from workers.allocation import design_template

    record, store = find_record(name, storage)
    curves = [curve for curve in collect(record, store) if curve.plan.method == method]
    if not curves:
        raise BadInputError(f"method '{method}': {nearest(method, {curve.method for curve in record.curves})}")
    models = sorted({curve.plan.model for curve in curves})
    if model is None and len(models) > 1:
        raise BadInputError(f"method '{method}' is measured on {', '.join(models)}; choose one of them with --model")
    if model is not None and model not in models:
        raise BadInputError(f"model '{model}': {nearest(model, models)}")
    protocol = curves[0].plan.protocol  # all protocols of a method have its widths
    curves = [each for each in curves if (each.plan.model, each.plan.protocol) == (model or models[0], protocol)]
    asked = largest_common(curves) if compression is None else compression
    if asked is None:
        raise BadInputError(f"method '{method}' has removed no channels at a compression that all seeds have measured")
    fractions = design_template(collect_designs(curves, asked, store))
    click.echo(f"allocation: {{kind: template, fractions: [{', '.join(f'{each:.4f}' for each in fractions)}]}}")


def sync(name: str, *, storage: str, tracking: str | None, rebuild: bool) -> None:
    """Log a sweep's results to MLflow and print where they are; raises as `log_results` and `check_usable` do."""
    record, store = find_record(name, storage)
    uri = tracking or str(record.spec["tracking"])
    check_usable(uri)
    curves, tracked = log_results(record, store, tracking_uri=uri, rebuild=rebuild)
    points = sum(len(curve.points) for curve in curves)
    click.echo(f"{record.name}: {points} points of {len(curves)} curves are in MLflow: {tracked.address}")


def log_results(
    record: SweepRecord, store: ArtifactStore, *, tracking_uri: str, rebuild: bool = False
) -> tuple[tuple[Curve, ...], TrackedSweep]:
    """Log a sweep's results to MLflow, holding its lease so that only one process logs.

    Args:
        record: The sweep.
        store: The sweep's store.
        tracking_uri: A server's address or a database.
        rebuild: Delete the sweep's runs in MLflow and log everything again.

    Returns:
        Its curves, and where they are in MLflow.

    Raises:
        LeaseHeldError: A driver runs the sweep; it logs by itself.
        TrackingUnavailableError: MLflow does not answer or refuses.
    """
    from orchestrator.report import areas_of_curves, collect_failures, collect_resources, report_files

    with DriverLease(store, Lease.acquire(store.files, record.name)):
        curves = collect(record, store)
        resources, lost = collect_resources(curves, store), collect_failures(record, curves, store)
        tracked = log_sweep(
            record,
            curves,
            tracking_uri=tracking_uri,
            store_id=store.make_identity(),
            artifacts=report_files(record, curves, collect_orders(curves, store), resources, lost),
            areas=areas_of_curves(curves),
            resources=resources,
            ended=True,
            rebuild=rebuild,
        )
    return curves, tracked
