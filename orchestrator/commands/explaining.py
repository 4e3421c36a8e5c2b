"""`orchard explain`: shows a task's parameters, result and attempts, or the differences between two tasks."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

from jobs.artifact import CorruptArtifactError
from jobs.errors import BadInputError
from jobs.identity import Json
from jobs.load import load_sweep
from jobs.secrets import mask
from jobs.task import Task
from orchestrator.commands.locating import find_attempts, resolve_key
from orchestrator.commands.planning import plan_for
from orchestrator.commands.story_text import story_lines
from orchestrator.results.differences import differences, flatten
from orchestrator.results.lineage import TaskFacts, ancestry, read_lineage, resources_of, settings_of
from orchestrator.status import related_keys, story_of
from orchestrator.store import ArtifactStore, open_store


def explain(keys: Sequence[str], *, storage: str, sweep: str | None, overrides: Sequence[str] = ()) -> None:
    """Print one task, or the differences between two.

    Args:
        keys: Prefixes of one or two keys.
        storage: The store to search, unless a sweep file names one.
        sweep: A sweep file whose plan is searched, too.
        overrides: Changes to that file.

    Raises:
        BadInputError: More than two keys, or a prefix that is not found or is ambiguous.
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
    key = _find(keys[0], store, planned, (key for each in attempts for key in related_keys(each)))
    for line in (*_describe(key, store, planned), *story_lines(story_of(key, attempts))):
        click.echo(line)


def _describe(key: str, store: ArtifactStore, planned: Mapping[str, Task]) -> Iterator[str]:
    """A task's identity, and its artifact or missing inputs."""
    if key not in planned and not store.has(key):
        yield f"{key}: not in the store; with --sweep, the plan of a sweep file is searched, too"
        return
    identity = _identity(key, store, planned)
    yield f"{key} {identity['stage']}"
    for path, value in flatten(identity):
        yield mask(f"  {path}: {json.dumps(value)}")
    yield from _stored(key, store) if store.has(key) else _missing(planned.get(key), store, planned)


def _stored(key: str, store: ArtifactStore) -> Iterator[str]:
    """The artifact of a task."""
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
    ancestors = ancestry([key], lambda each: TaskFacts.of_manifest(lineage[each]) if each in lineage else None)
    yield f"made by {len(ancestors)} tasks with the settings"
    for name, value in settings_of(ancestors).items():
        yield f"  {name}: {value}"
    yield "and the resources"
    for stage, text in resources_of(lineage.values()).items():
        yield f"  {stage}: {text}"


def _missing(task: Task | None, store: ArtifactStore, planned: Mapping[str, Task]) -> Iterator[str]:
    """The inputs of a task that is not in the store."""
    for role, source in task.inputs.items() if task else ():
        state = "stored" if store.has(source) else "not stored, runs first"
        yield f"  {role} {source[:12]} ({planned[source].stage} {planned[source].label}): {state}"
    yield "not stored"


def _show_differences(first: Mapping[str, Json], second: Mapping[str, Json]) -> None:
    rows = differences(first, second)
    if not rows:
        click.echo("the same task")
    for path, left, right in rows:
        click.echo(mask(f"{path}: {left}") + mask(f" -> {right}"))


def _find(prefix: str, store: ArtifactStore, planned: Mapping[str, Task], journalled: Iterable[str] = ()) -> str:
    unknown = (
        f"no task {prefix} in {store.uri}; give the beginning of its key, as `log:` names it, and its "
        "store (--storage) or its sweep (--sweep)"
    )
    return resolve_key(prefix, [*store.find(prefix), *planned, *journalled], unknown=unknown)


def _identity(key: str, store: ArtifactStore, planned: Mapping[str, Task]) -> Mapping[str, Json]:
    return planned[key].identity() if key in planned else store.manifest(key).identity
