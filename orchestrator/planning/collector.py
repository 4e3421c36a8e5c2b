"""Collects the tasks of a plan, each once, and gives each what depends on the sweep as a whole.

Refuses to know which tasks make a method.
"""

from collections import Counter
from collections.abc import Mapping
from sys import intern

from jobs.identity import Json
from jobs.spec import ResourcesSpec, SweepSpec
from jobs.task import ACCELERATED, Resources, StageKind, Task, make_task
from orchestrator.planning.plan import Surroundings


class Collector:
    """The tasks of a plan so far.

    Attributes:
        spec: The sweep.
        surroundings: What the plan depends on besides it.
        tasks: Key -> task, inputs before the tasks that read them.
        asked: How many tasks of each stage were added, equal ones counted each.
        data_params: What a task that reads the data set has in its `params`.
        data_location: Where the data set lies.
    """

    def __init__(self, spec: SweepSpec, surroundings: Surroundings) -> None:
        self.spec, self.surroundings = spec, surroundings
        self.tasks: dict[str, Task] = {}
        self.asked: Counter[StageKind] = Counter()
        self.data_params = self._data()
        self.data_location = {"data": spec.data.root} if spec.data.root is not None else {}
        self._environments = {
            device: {"torch": surroundings.torch_version, "dtype": "float32", "device": device}
            for device in ("cpu", surroundings.device)
        }
        self._resources = {stage: self.resources(stage) for stage in StageKind}

    def resources(self, stage: StageKind) -> Resources:
        """What a stage asks of the cluster: the sweep's word, else a default for the device class."""
        asked: ResourcesSpec = getattr(self.spec.resources, stage.value)
        num_gpus = asked.num_gpus
        adaptive = num_gpus is None and stage is not StageKind.TRAIN
        if num_gpus is None:
            on_gpu = self.surroundings.device == "cuda" and stage in ACCELERATED
            num_gpus = (1.0 if stage is StageKind.TRAIN else 0.25) if on_gpu else 0.0
        return Resources(
            num_cpus=asked.num_cpus,
            num_gpus=num_gpus,
            memory_bytes=asked.memory_bytes,
            adaptive=adaptive and num_gpus > 0,
        )

    def source_of(self, name: str) -> str | None:
        """Fingerprint of the user's own code by its import path; None for what is ours."""
        return self.surroundings.sources.get(name)

    def add(
        self,
        stage: StageKind,
        params: Mapping[str, Json],
        inputs: Mapping[str, str],
        label: str,
        locations: Mapping[str, str] | None = None,
    ) -> str:
        """Add a task, unless it is there already; its key."""
        device = self.surroundings.device if stage in ACCELERATED else "cpu"
        environment = self._environments[device]
        if stage is StageKind.PERMUTE:  # its order tasks have the same
            environment = {**environment, "ortools": self.surroundings.ortools_version}
        task = make_task(
            stage,
            params=params,
            inputs=inputs,
            environment=environment,
            resources=self._resources[stage],
            locations=locations,
            label=label,
            family=intern(label.partition("/")[0]),  # labels begin with the model
        )
        self.asked[stage] += 1
        return self.tasks.setdefault(task.key, task).key

    def _data(self) -> dict[str, Json]:
        data = self.spec.data
        return {
            "dataset": data.dataset,
            "source": self.source_of(data.dataset),
            "arguments": data.arguments,
            "normalize": data.normalize.model_dump(mode="json") if data.normalize else None,
            "fingerprint": self.surroundings.data,
        }
