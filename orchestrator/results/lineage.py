"""The lineage of a result: the tasks that produced it, with their settings and resource usage.

It can be read from a plan or from manifests alike, because a task's key covers all its parameters.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobs.artifact import Manifest, Store
from jobs.identity import Json
from jobs.stages.base import JoiningParams
from jobs.stages.table import StageKind
from jobs.task import Task, appearing_tasks, make_task
from orchestrator.planning import Plan, PlannedCurve
from orchestrator.results.differences import flatten


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """The parameters of a planned or finished task.

    Attributes:
        stage: Name of its stage.
        params: Its parameters as JSON.
        inputs: Role -> key of its input artifacts.
        environment: The environment that its key covers.
    """

    stage: str
    params: Mapping[str, Json]
    inputs: Mapping[str, str]
    environment: Mapping[str, str]

    @classmethod
    def of_task(cls, task: Task) -> "TaskFacts":
        """The facts of a planned task."""
        return cls(
            stage=task.stage.value, params=task.params.document(), inputs=task.inputs, environment=task.environment
        )

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> "TaskFacts":
        """The facts of a finished task."""
        return cls(
            stage=manifest.stage,
            params=manifest.identity.get("params", {}),
            inputs=manifest.inputs,
            environment=manifest.identity.get("environment", {}),
        )


def made_of(result: TaskFacts | Manifest) -> tuple[str, ...]:
    """Keys of the artifacts that one was made of: its inputs, unless it only compares them, as a race does."""
    return () if result.stage == StageKind.RACE else tuple(result.inputs.values())


def source_network(manifest: Manifest) -> str | None:
    """Key of the input network of an artifact; this chain leads from a point to the model's own network."""
    return manifest.inputs.get("network") or manifest.inputs.get("procedure.network")


def ancestry(keys: Iterable[str], facts_of: Callable[[str], TaskFacts | None]) -> list[TaskFacts]:
    """Tasks and all that they were made of, inputs before their readers; unknown ones are left out."""
    found: dict[str, TaskFacts] = {}
    waiting = list(keys)
    while waiting:
        facts = None if waiting[-1] in found else facts_of(waiting[-1])
        unread = [source for source in made_of(facts) if source not in found and facts_of(source)] if facts else []
        if unread:
            waiting += unread
            continue
        each = waiting.pop()
        if facts is not None:
            found[each] = facts
    return list(found.values())


def joining_stages() -> frozenset[str]:
    """The stages whose tasks join others that appear while a sweep runs."""
    return frozenset(stage.value for stage in StageKind if issubclass(stage.row.params, JoiningParams))


def task_of(manifest: Manifest) -> Task | None:
    """The task behind an artifact; None where its parameters are of an older version."""
    try:
        identity = manifest.identity
        params = StageKind(manifest.stage).row.params.from_document(identity["params"])
        task = make_task(params, environment=identity["environment"])
        return task if task.key == manifest.key else None
    except (ValueError, KeyError):
        return None


def appeared_keys(task: Task, measured_of: Callable[[str], Mapping[str, Json] | None]) -> set[str]:
    """Keys of the appearing tasks that a task joined; none of other tasks, and none where their source is not there.

    Args:
        task: The task.
        measured_of: The measurements of an artifact; None where it is not there.
    """
    if not isinstance(task.params, JoiningParams):
        return set()
    measured = measured_of(task.params.source)
    return set() if measured is None else {each.key for each in appearing_tasks(task, measured)}


def planned_settings(plan: Plan, curve: PlannedCurve) -> dict[str, str]:
    """The settings of the planned tasks behind a curve; they are the same for all its compressions."""
    known: dict[str, TaskFacts] = {}

    def facts_of(key: str) -> TaskFacts | None:
        return known.setdefault(key, TaskFacts.of_task(plan.tasks[key])) if key in plan.tasks else None

    return settings_of(ancestry(curve.points[0].keys, facts_of)) if curve.points else {}


def read_lineage(keys: Iterable[str], store: Store) -> dict[str, Manifest]:
    """The manifests of artifacts and of all that they were made of; damaged and missing ones are left out."""
    found: dict[str, Manifest] = {}
    read = set[str]()
    while unread := set(keys) - read:
        read |= unread
        manifests, _ = store.manifests(unread)
        found |= manifests
        keys = {source for manifest in manifests.values() for source in made_of(manifest)}
    return found


def settings_of(tasks: Iterable[TaskFacts]) -> dict[str, str]:
    """The parameters of tasks, flat: `stage.parameter` (of procedures `stage.kind.parameter`) -> value.

    The data set, which most tasks name, is included once, as `data.*`. Artifact keys, seeds and compressions are left
    out, because they differ between the points and curves of one method. Where a stage ran several times with different
    values, all of them are listed.
    """
    values: dict[str, dict[str, None]] = {}
    for facts in tasks:
        for name, value in _settings(facts):
            values.setdefault(name, {})[value] = None
    return {name: ", ".join(each) for name, each in sorted(values.items())}


_EXCLUDED = frozenset({"seed", "compression", "widths.compression"})


def _settings(facts: TaskFacts) -> Iterator[tuple[str, str]]:
    params = dict(facts.params)
    procedure = params.pop("procedure", None)
    roles = tuple(facts.inputs)
    stage = facts.stage
    if isinstance(procedure, Mapping):
        roles = tuple(role.removeprefix("procedure.") for role in roles)
        params |= {name: value for name, value in procedure.items() if name != "kind"}
        stage = f"{stage}.{procedure['kind']}"
    for path, value in flatten(params):
        if path in _EXCLUDED or any(role == path or role.startswith(f"{path}.") for role in roles):
            continue
        shared = path.removeprefix("images.")
        yield (shared if shared.startswith("data.") else f"{stage}.{path}"), _text(value)
    for name, text in facts.environment.items():
        if name != "device":  # it differs between accelerated stages and others
            yield f"environment.{name}", text


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def resources_of(manifests: Iterable[Manifest]) -> dict[str, str]:
    """The resource usage of tasks by stage, as text: requests, total duration, and peak memory."""
    by_stage: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        by_stage.setdefault(manifest.stage, []).append(manifest)
    return {stage: _usage_text(done) for stage, done in sorted(by_stage.items())}


def _usage_text(done: Sequence[Manifest]) -> str:
    asked = {(each.resources["num_cpus"], each.resources["num_gpus"]) for each in done if each.resources}
    requests = " or ".join(f"{cpus:g} CPU, {gpus:g} GPU" for cpus, gpus in sorted(asked))
    seconds, memory = sum(each.duration_s for each in done), max(each.usage.get("memory_bytes", 0) for each in done)
    parts = [requests, f"{seconds:.1f} s", f"{memory / 2**30:.1f} GiB" if memory else ""]
    return ", ".join(part for part in parts if part)
