"""`orchard explain`: what a task is, whether it would run, and in what two tasks differ."""

import json
from collections.abc import Iterator, Mapping, Sequence

import click

from jobs.artifact import CorruptArtifactError
from jobs.errors import BadInputError
from jobs.identity import Json
from jobs.load import load_sweep
from jobs.task import Task
from orchestrator.commands.locating import only_key
from orchestrator.commands.planning import plan_for
from orchestrator.explain import differences, flatten
from orchestrator.store import ArtifactStore, open_store


def explain(keys: Sequence[str], *, storage: str, sweep: str | None, overrides: Sequence[str] = ()) -> None:
    """Print one task, or the differences of two.

    Args:
        keys: Beginnings of one or two keys.
        storage: Where to look, unless a sweep says it.
        sweep: A sweep file whose plan is looked at too.
        overrides: Of that file.

    Raises:
        BadInputError: More than two keys, or a key is not found or not the beginning of just one.
    """
    if len(keys) > 2:
        raise BadInputError(f"explain takes one key or two, not {len(keys)}")
    planned: Mapping[str, Task] = {}
    if sweep is not None:
        spec = load_sweep(sweep, overrides)
        storage = spec.storage
        planned = plan_for(spec, None)[0].tasks
    store = open_store(storage)
    found = [_find(key, store, planned) for key in keys]
    if len(found) == 2:
        _show_differences(*found)
        return
    key, identity = found[0]
    click.echo(f"{key} {identity['stage']}")
    for path, value in flatten(identity):
        click.echo(f"  {path}: {json.dumps(value)}")
    for line in _stored(key, store) if store.has(key) else _missing(planned.get(key), store, planned):
        click.echo(line)


def _stored(key: str, store: ArtifactStore) -> Iterator[str]:
    """What the store has of a task."""
    try:
        manifest = store.manifest(key)
    except CorruptArtifactError as error:
        yield f"stored, but damaged: the next run computes it again ({error})"
        return
    yield f"stored: {manifest.label}, {manifest.duration_s:.2f} s on {manifest.host}"
    if manifest.processor:
        yield f"  processor: {', '.join(f'{name} {value}' for name, value in manifest.processor.items())}"
    for path, value in flatten(manifest.measurements):
        yield f"  {path}: {json.dumps(value)}"
    for name, entry in manifest.files.items():
        yield f"  {name}: {entry.size_bytes} bytes, sha256 {entry.sha256}"


def _missing(task: Task | None, store: ArtifactStore, planned: Mapping[str, Task]) -> Iterator[str]:
    """Why a task would run, and what it would wait for."""
    for role, source in task.inputs.items() if task else ():
        there = "stored" if store.has(source) else "not stored, comes first"
        yield f"  {role} {source[:12]} ({planned[source].stage} {planned[source].label}): {there}"
    yield "not stored"


def _show_differences(first: tuple[str, Mapping[str, Json]], second: tuple[str, Mapping[str, Json]]) -> None:
    rows = differences(first[1], second[1])
    if not rows:
        click.echo("the same task")
    for path, left, right in rows:
        click.echo(f"{path}: {left} -> {right}")


def _find(prefix: str, store: ArtifactStore, planned: Mapping[str, Task]) -> tuple[str, Mapping[str, Json]]:
    unknown = f"no task {prefix} in {store.uri}; name its store (--storage) or its sweep (--sweep)"
    key = only_key(prefix, [*store.find(prefix), *planned], unknown=unknown)
    return key, planned[key].identity() if key in planned else store.manifest(key).identity
