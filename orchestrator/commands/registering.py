"""`orchard register`: a network of a sweep in MLflow's model registry."""

import click

from orchestrator.commands.exporting import headline
from orchestrator.commands.reporting import log_results
from orchestrator.commands.selecting import Found, Selection, find_network
from orchestrator.tracking import ui_command
from orchestrator.tracking.address import check_usable, shown
from orchestrator.tracking.registry import Entry, ModelName, RegisteredVersion, is_logged, register


def register_network(name: str, *, asked: Selection, target: str, storage: str, tracking: str | None) -> None:
    """Register a network in MLflow, log its sweep first where it is not, and print how to load it.

    Args:
        name: The sweep's name, or its file.
        asked: Which network.
        target: `MODEL` or `MODEL@alias`.
        storage: The store, for a sweep given by name.
        tracking: MLflow's tracking URI; default: the sweep's.

    Raises:
        BadInputError: MLflow refuses the name or alias, no network is like that, or its class has changed.
        BadNetworkError: The network cannot be traced.
        LeaseHeldError: The sweep has to be logged first, and its driver is running.
        OrchardError: An artifact is damaged.
        TrackingUnavailableError: MLflow does not answer or refuses.
    """
    model = ModelName.parse(target)
    found = find_network(name, storage, asked)
    uri = tracking or str(found.record.spec["tracking"])
    check_usable(uri)
    curve, point = found.selected.curve, found.selected.point
    if not is_logged(found.record.name, found.store.identity(), curve, point, tracking_uri=uri):
        log_results(found.record, found.store, tracking_uri=uri)
    registered = register(_entry(found), model, tracking_uri=uri)
    click.echo(headline(found))
    _print(registered, found, uri)


def _entry(found: Found) -> Entry:
    """The chosen network, read from the store."""
    from orchestrator.export import read_network
    from orchestrator.export.card import model_card

    chosen = read_network(found.record, found.store, found.every, found.selected)
    return Entry(
        sweep=found.record.name,
        store_id=found.store.identity(),
        curve=found.selected.curve,
        point=found.selected.point,
        module=chosen.module,
        input_shape=chosen.recipe.inputs.one_shape("MLflow"),
        card=model_card(chosen),
    )


def _print(registered: RegisteredVersion, found: Found, uri: str) -> None:
    """What was registered, where it is, and how it is loaded."""
    made = "new" if registered.created else "it was there already"
    click.echo(f"  version {registered.version} of {registered.name} ({made})")
    if registered.alias:
        moved = f" (version {registered.moved_from} had it before)" if registered.moved_from else ""
        click.echo(f"  alias {registered.alias}{moved}")
    click.echo(f"MLflow: {registered.address}")
    record, storage = found.record, found.store.uri
    if command := ui_command(record.name, storage, uri, is_default=uri == record.spec["tracking"]):
        click.echo(f"  shown by: {command}")
    click.echo("to load it, also without Orchard:")
    click.echo(f'  import mlflow; mlflow.set_tracking_uri("{shown(uri)}")')
    click.echo(f'  model = mlflow.pyfunc.load_model("{registered.uri}", model_config={{"device": "cpu"}})')
