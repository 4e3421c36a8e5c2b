"""What lies behind a result: the tasks that it was made by, and what they were told.

Tasks of a plan and manifests of a store tell the same, for a key covers all that a task is told.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobs.artifact import Manifest, Store
from jobs.identity import Json
from jobs.task import Task
from orchestrator.planning import Plan, PlannedCurve
from orchestrator.results.differences import flatten


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """What a task was told, whether it is planned or done.

    Attributes:
        stage: Its name.
        params: Its parameters as JSON.
        inputs: Role -> key of the tasks that it reads.
        environment: What else its key covers.
    """

    stage: str
    params: Mapping[str, Json]
    inputs: Mapping[str, str]
    environment: Mapping[str, str]

    @classmethod
    def of_task(cls, task: Task) -> "TaskFacts":
        """Of a planned task."""
        return cls(
            stage=task.stage.value, params=task.params.document(), inputs=task.inputs, environment=task.environment
        )

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> "TaskFacts":
        """Of a finished task."""
        return cls(
            stage=manifest.stage,
            params=manifest.identity.get("params", {}),
            inputs=manifest.inputs,
            environment=manifest.identity.get("environment", {}),
        )


def network_behind(manifest: Manifest) -> str | None:
    """The network that an artifact was made from; the chain of these leads from a point to the model's weights."""
    return manifest.inputs.get("network") or manifest.inputs.get("procedure.network")


def ancestry(key: str, facts_of: Callable[[str], TaskFacts | None]) -> list[TaskFacts]:
    """The task of a key and all tasks behind it, inputs before their readers; those that are not known are left out."""
    found: dict[str, TaskFacts] = {}
    waiting = [key]
    while waiting:
        facts = None if waiting[-1] in found else facts_of(waiting[-1])
        unread = (
            [source for source in facts.inputs.values() if source not in found and facts_of(source)] if facts else []
        )
        if unread:
            waiting += unread
            continue
        each = waiting.pop()
        if facts is not None:
            found[each] = facts
    return list(found.values())


def planned_settings(plan: Plan, curve: PlannedCurve) -> dict[str, str]:
    """What the tasks are told that will make the points of a curve; its compressions differ in nothing else."""
    known: dict[str, TaskFacts] = {}

    def facts_of(key: str) -> TaskFacts | None:
        return known.setdefault(key, TaskFacts.of_task(plan.tasks[key])) if key in plan.tasks else None

    return settings_of(ancestry(curve.points[0].key, facts_of)) if curve.points else {}


def read_lineage(keys: Iterable[str], store: Store) -> dict[str, Manifest]:
    """The manifests of artifacts and of all that they were made from; what is damaged or gone is left out."""
    found: dict[str, Manifest] = {}
    read = set[str]()
    while unread := set(keys) - read:
        read |= unread
        manifests, _ = store.manifests(unread)
        found |= manifests
        keys = {source for manifest in manifests.values() for source in manifest.inputs.values()}
    return found


def settings_of(tasks: Iterable[TaskFacts]) -> dict[str, str]:
    """What tasks were told, flat: `stage.parameter` (of procedures `stage.kind.parameter`) -> value.

    The data set, which most of them name, is there once, as `data.*`. Keys of artifacts, seeds and compressions are
    left out: they differ between the points and curves of one method. Where a stage ran several times with several
    values, all of them are given.
    """
    values: dict[str, dict[str, None]] = {}
    for facts in tasks:
        for name, value in _settings(facts):
            values.setdefault(name, {})[value] = None
    return {name: ", ".join(each) for name, each in sorted(values.items())}


_APART = frozenset({"seed", "compression", "widths.compression"})


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
        if path in _APART or any(role == path or role.startswith(f"{path}.") for role in roles):
            continue
        shared = path.removeprefix("images.")
        yield (shared if shared.startswith("data.") else f"{stage}.{path}"), _text(value)
    for name, text in facts.environment.items():
        if name != "device":  # of accelerated stages; the others are on the CPU anyway
            yield f"environment.{name}", text


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def resources_of(manifests: Iterable[Manifest]) -> dict[str, str]:
    """What tasks took, by stage, in words: what they asked of the cluster, how long, and the peak of their memory."""
    by_stage: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        by_stage.setdefault(manifest.stage, []).append(manifest)
    return {stage: _taken(done) for stage, done in sorted(by_stage.items())}


def _taken(done: Sequence[Manifest]) -> str:
    asked = {(each.resources["num_cpus"], each.resources["num_gpus"]) for each in done if each.resources}
    words = " or ".join(f"{cpus:g} CPU, {gpus:g} GPU" for cpus, gpus in sorted(asked))
    seconds, memory = sum(each.duration_s for each in done), max(each.usage.get("memory_bytes", 0) for each in done)
    parts = [words, f"{seconds:.1f} s", f"{memory / 2**30:.1f} GiB" if memory else ""]
    return ", ".join(part for part in parts if part)
