"""Collects the tasks of a plan without duplicates, and sets what depends on the sweep as a whole."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from jobs.resources import Resources
from jobs.spec.protocols import NO_PROTOCOL, TransferProtocol
from jobs.spec.resources import ResourcesSpec
from jobs.spec.sweep import SweepSpec
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.table import StageKind, stage_of
from jobs.task import NOWHERE, Locations, Task, make_task
from orchestrator.planning.plan import PlanEnvironment
from orchestrator.planning.problem import Problem


class TaskCollector:
    """The tasks of a plan so far.

    Attributes:
        spec: The sweep.
        environment: What the plan depends on besides the sweep.
        tasks: Key -> task, inputs before the tasks that read them.
        asked: How many tasks of each stage were added, duplicates included.
        resources: What tasks of each stage request from the cluster.
    """

    def __init__(self, spec: SweepSpec, environment: PlanEnvironment) -> None:
        self.spec, self.environment = spec, environment
        self.tasks: dict[str, Task] = {}
        self.asked: Counter[StageKind] = Counter()
        self._known: dict[Hashable, tuple[ArtifactKey, Counter[StageKind]]] = {}
        self._problems: dict[str, Problem] = {}
        self.resources = {stage: self._resources(stage) for stage in StageKind}
        self._environments = {
            device: {"torch": environment.torch_version, "dtype": "float32", "device": device}
            for device in ("cpu", environment.device)
        }

    @property
    def seeds(self) -> list[int]:
        """The seeds, ascending: what reads the networks of all has one key, in whatever order they are given."""
        return sorted(self.spec.seeds)

    def source_of(self, name: str) -> str | None:
        """Fingerprint of the user's own code by its import path; None for what is ours."""
        return self.environment.sources.get(name)

    def problem_of(self, model: str, protocol: str = NO_PROTOCOL) -> Problem:
        """The data set of a model, and what it is for; after a transfer, those that the protocol names."""
        transfer, source = self.spec.protocols.get(protocol), self.spec.models[model].transfer
        if isinstance(transfer, TransferProtocol):
            path, data, objective = f"protocols.{protocol}", transfer.data, transfer.objective
        else:
            path = f"protocols.{source.protocol}" if source else f"models.{model}"
            data, objective = self.spec.data_of(model), self.spec.objective_of(model)
        if path not in self._problems:
            fingerprint = self.environment.own_data.get(f"{path}.data", self.environment.data)
            sources = self.environment.sources
            self._problems[path] = Problem.of(data, objective, fingerprint=fingerprint, sources=sources)
        return self._problems[path]

    def add(
        self, params: StageParams, label: str, *, model: str, locations: Locations = NOWHERE, work: float = 1.0
    ) -> ArtifactKey:
        """Add a task, unless it has been added before; returns its key.

        Args:
            params: The parameters of its stage.
            label: For people.
            model: The model, as the task's family.
            locations: Of inputs from outside the store.
            work: Its expected cost, relative to that of other tasks of the stage and model.
        """
        stage = stage_of(params)
        task = make_task(
            params,
            stage=stage,
            environment=self._environments[self.environment.device if stage.row.accelerated else "cpu"],
            resources=self.resources[stage],
            locations=locations,
            label=label,
            family=model,
            work=work,
        )
        self.asked[stage] += 1
        return ArtifactKey(self.tasks.setdefault(task.key, task).key)

    def once(self, asked: Hashable, add: Callable[[], ArtifactKey]) -> ArtifactKey:
        """A memoised `add`: for a known request, the task and its ancestors are only counted again.

        Args:
            asked: The request: everything that the task depends on besides the sweep.
            add: Adds the task and its ancestors.
        """
        known = self._known.get(asked)
        if known is None:
            before = self.asked.copy()
            key = add()
            self._known[asked] = key, self.asked - before
            return key
        key, counts = known
        self.asked.update(counts)
        return key

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """What is added within is not counted as asked for: another curve asks for it."""
        asked = self.asked.copy()
        yield
        self.asked = asked

    def _resources(self, stage: StageKind) -> Resources:
        """The request of a stage: the sweep's, else the table's default, without GPUs on a device without."""
        default, asked = stage.row.resources, self.spec.resources.get(stage.value, ResourcesSpec())
        if asked.num_gpus is not None:
            default = replace(default, num_gpus=asked.num_gpus, adaptive=False)
        elif self.environment.device != "cuda":
            default = replace(default, num_gpus=0.0, adaptive=False)
        elif asked.processes:
            default = replace(default, num_gpus=float(asked.processes), adaptive=False)
        return replace(
            default,
            num_cpus=asked.num_cpus,
            memory_bytes=asked.memory_bytes,
            processes=asked.num_processes,
            nodes=asked.nodes,
        )
