"""`orchard explain`: what a task is, and in what two tasks differ."""

import json
from collections.abc import Mapping, Sequence

import click

from jobs.errors import BadInputError
from jobs.identity import Json
from jobs.load import load_sweep
from orchestrator.commands.planning import plan_for
from orchestrator.explain import differences, flatten
from orchestrator.store import ArtifactStore, open_store


def explain(keys: Sequence[str], *, storage: str, sweep: str | None) -> None:
    """Print one task, or the differences of two.

    Raises:
        BadInputError: More than two keys, or a key is not found or not the beginning of just one.
    """
    if len(keys) > 2:
        raise BadInputError(f"explain takes one key or two, not {len(keys)}")
    planned: dict[str, Mapping[str, Json]] = {}
    if sweep is not None:
        spec = load_sweep(sweep)
        storage = spec.storage
        planned = {key: task.identity() for key, task in plan_for(spec, None)[0].tasks.items()}
    store = open_store(storage)
    found = [_find(key, store, planned) for key in keys]
    if len(found) == 2:
        _show_differences(*found)
        return
    key, identity = found[0]
    click.echo(f"{key} {identity['stage']}")
    for path, value in flatten(identity):
        click.echo(f"  {path}: {json.dumps(value)}")
    if store.has(key):
        manifest = store.manifest(key)
        click.echo(f"stored: {manifest.label}, {manifest.duration_s:.2f} s on {manifest.host}")
        for path, value in flatten(manifest.measurements):
            click.echo(f"  {path}: {json.dumps(value)}")
        for name, entry in manifest.files.items():
            click.echo(f"  {name}: {entry.size_bytes} bytes, sha256 {entry.sha256}")
    else:
        click.echo("not stored")


def _show_differences(first: tuple[str, Mapping[str, Json]], second: tuple[str, Mapping[str, Json]]) -> None:
    rows = differences(first[1], second[1])
    if not rows:
        click.echo("the same task")
    for path, left, right in rows:
        click.echo(f"{path}: {left} -> {right}")


def _find(prefix: str, store: ArtifactStore, planned: Mapping[str, Mapping[str, Json]]) -> tuple[str, Mapping[str, Json]]:
    if len(prefix) < 2:
        raise BadInputError(f"'{prefix}' is too short; give at least two characters of a key")
    found = sorted({*store.find(prefix), *(key for key in planned if key.startswith(prefix))})
    if not found:
        raise BadInputError(f"no task {prefix} in {store.uri}; name its store (--storage) or its sweep (--sweep)")
    if len(found) > 1:
        raise BadInputError(
            f"{prefix} is the beginning of {len(found)} keys; give more characters: {', '.join(found[:5])}"
        )
    key = found[0]
    return key, planned[key] if key in planned else store.manifest(key).identity
