"""`orchard export`: writes a network of a sweep into a folder of its own."""

from pathlib import Path

import click

from orchestrator.commands.selecting import Found, Selection, find_network


def export(name: str, *, storage: str, asked: Selection, out: str, **options: bool) -> int:
    """Write a network's folder and print its files.

    Args:
        name: The sweep's name, or its file.
        storage: The store, for a sweep given by name.
        asked: Which network.
        out: The folder.
        options: Of `ExportOptions`.

    Returns:
        The exit code: 1 where a format cannot express the network.

    Raises:
        BadInputError: No network is like that, the folder exists, or the network's class has changed.
        OrchardError: An artifact is damaged.
    """
    found = find_network(name, storage, asked)
    from orchestrator.export import read_network
    from orchestrator.export.numbers import size_text
    from orchestrator.export.writing import ExportOptions, export_network

    chosen = read_network(found.record, found.store, found.every, found.selected)
    click.echo(headline(found))
    if chosen.source_changed:
        click.echo(f"{chosen.recipe.network}: its module was edited after the sweep ran", err=True)
    exported = export_network(chosen, found.store, Path(out), ExportOptions(**options))
    for file in exported.files:
        difference = "" if file.difference is None else f"  outputs differ by at most {file.difference:.1e}"
        click.echo(f"  {file.name:22}{size_text(file.size_bytes):>10}{difference}")
    for file_name, reason in exported.missing.items():
        click.echo(f"  {file_name:22}is missing: {reason}", err=True)
    click.echo(out)
    return 1 if exported.missing else 0


def headline(found: Found) -> str:
    """Which network it is, and why."""
    selected, point = found.selected, found.selected.point
    metric = point.primary
    value = f"{metric.label} {metric.text(point.value)} {metric.unit}".rstrip()
    why = f" ({selected.why})" if selected.why else ""
    parameters = f"{point.metrics['params']:,.0f} parameters"
    return f"{selected.candidate.label}, seed {selected.seed}{why}: {value}, {parameters}"
