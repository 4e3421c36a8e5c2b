"""`orchard explain`: what a task is, whether it would run, how its attempts went, and in what two tasks differ."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

from jobs.artifact import CorruptArtifactError
from jobs.errors import BadInputError
from jobs.identity import Json
from jobs.load import load_sweep
from jobs.task import Task
from orchestrator.commands.locating import find_attempts, only_key
from orchestrator.commands.planning import plan_for
from orchestrator.commands.telling import story_lines
from orchestrator.results.differences import differences, flatten
from orchestrator.results.lineage import TaskFacts, ancestry, read_lineage, resources_of, settings_of
from orchestrator.status import keys_told_of, story_of
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
    if len(keys) == 2:
        first, second = (_find(key, store, planned) for key in keys)
        _show_differences(_identity(first, store, planned), _identity(second, store, planned))
        return
    attempts = list(find_attempts(keys[0], store))
    key = _find(keys[0], store, planned, (key for each in attempts for key in keys_told_of(each)))
    for line in (*_what_it_is(key, store, planned), *story_lines(story_of(key, attempts))):
        click.echo(line)


def _what_it_is(key: str, store: ArtifactStore, planned: Mapping[str, Task]) -> Iterator[str]:
    """A task's identity and its artifact, or what it waits for."""
    if key not in planned and not store.has(key):
        yield f"{key}: not stored; --sweep names the sweep file whose plan tells what it is"
        return
    identity = _identity(key, store, planned)
    yield f"{key} {identity['stage']}"
    for path, value in flatten(identity):
        yield f"  {path}: {json.dumps(value)}"
    yield from _stored(key, store) if store.has(key) else _missing(planned.get(key), store, planned)


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
    lineage = read_lineage([key], store)
    behind = ancestry(key, lambda each: TaskFacts.of_manifest(lineage[each]) if each in lineage else None)
    yield f"made by {len(behind)} tasks, which were told"
    for name, value in settings_of(behind).items():
        yield f"  {name}: {value}"
    yield "and took"
    for stage, words in resources_of(lineage.values()).items():
        yield f"  {stage}: {words}"


def _missing(task: Task | None, store: ArtifactStore, planned: Mapping[str, Task]) -> Iterator[str]:
    """Why a task would run, and what it would wait for."""
    for role, source in task.inputs.items() if task else ():
        there = "stored" if store.has(source) else "not stored, comes first"
        yield f"  {role} {source[:12]} ({planned[source].stage} {planned[source].label}): {there}"
    yield "not stored"


def _show_differences(first: Mapping[str, Json], second: Mapping[str, Json]) -> None:
    rows = differences(first, second)
    if not rows:
        click.echo("the same task")
    for path, left, right in rows:
        click.echo(f"{path}: {left} -> {right}")


def _find(prefix: str, store: ArtifactStore, planned: Mapping[str, Task], told_of: Iterable[str] = ()) -> str:
    unknown = f"no task {prefix} in {store.uri}; name its store (--storage) or its sweep (--sweep)"
    return only_key(prefix, [*store.find(prefix), *planned, *told_of], unknown=unknown)


def _identity(key: str, store: ArtifactStore, planned: Mapping[str, Task]) -> Mapping[str, Json]:
    return planned[key].identity() if key in planned else store.manifest(key).identity
