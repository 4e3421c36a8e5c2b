"""From a sweep to a DAG of tasks. Tasks with equal keys are one task.

A pure function of the sweep, the fingerprints of what lies outside the store, and the environment. It imports
neither torch, ray nor mlflow, and asks no disk, clock or cluster.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern

from jobs import names
from jobs.identity import Json
from jobs.spec import (
    CriterionMethod,
    DenseMethod,
    IntegralMethod,
    IntegralTrainSpec,
    MethodSpec,
    ModelSpec,
    OrderingSpec,
    ResourcesSpec,
    ScoreSpec,
    SweepSpec,
)
from jobs.task import ACCELERATED, Resources, StageKind, Task, make_task
from orchestrator.results import PlannedCurve, PlannedPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a plan depends on besides the sweep file.

    Attributes:
        device: Device class of the accelerated stages: `cpu` or `cuda`.
        torch_version: Part of every key.
        ortools_version: Part of the keys of orderings.
        data: Fingerprint of the data set.
        weights: Model name -> fingerprint of its checkpoint.
        sources: Import path of the user's own code -> fingerprint of its module.
    """

    device: str
    torch_version: str
    ortools_version: str
    data: str
    weights: Mapping[str, str]
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A sweep's DAG.

    The `order` tasks are not in it: they follow from what `convert` finds (`jobs.task.order_tasks`).

    Attributes:
        tasks: Key -> task, inputs before the tasks that read them.
        curves: The curves, whose points name their `evaluate` tasks.
        asked: How many tasks of each stage the curves ask for, before equal ones are joined.
        order_resources: What each `order` task will ask of the cluster.
        surroundings: What it depends on besides the sweep file.
    """

    tasks: Mapping[str, Task]
    curves: tuple[PlannedCurve, ...]
    asked: Mapping[StageKind, int]
    order_resources: Resources
    surroundings: Surroundings

    @property
    def targets(self) -> tuple[str, ...]:
        """Keys of the tasks that the curves want, each once, in plan order."""
        return tuple(dict.fromkeys(point.key for curve in self.curves for point in curve.points))


def plan_sweep(spec: SweepSpec, surroundings: Surroundings) -> Plan:
    """Plan every model x method x seed x compression of a sweep."""
    planner = _Planner(spec, surroundings)
    curves = tuple(
        planner.curve(model, method, seed) for model in spec.models for method in spec.methods for seed in spec.seeds
    )
    return Plan(
        tasks=planner.tasks,
        curves=curves,
        asked=planner.asked,
        order_resources=planner.resources(StageKind.ORDER),
        surroundings=surroundings,
    )


def _protocol(spec: MethodSpec) -> str:
    """What happens to a network besides being made smaller."""
    steps = [name for name in ("train", "tune", "recalibrate") if getattr(spec, name, None) is not None]
    return "+".join(steps) or "none"


class _Planner:
    """Collects tasks; each method returns the key of the task that it added."""

    def __init__(self, spec: SweepSpec, surroundings: Surroundings) -> None:
        self.spec = spec
        self.tasks: dict[str, Task] = {}
        self.asked: Counter[StageKind] = Counter()
        self._surroundings = surroundings
        self._environments = {
            device: {"torch": surroundings.torch_version, "dtype": "float32", "device": device}
            for device in ("cpu", surroundings.device)
        }
        self._resources = {stage: self.resources(stage) for stage in StageKind}
        self._data_params = self._data()
        self._data_location = {"data": spec.data.root} if spec.data.root is not None else {}

    def resources(self, stage: StageKind) -> Resources:
        """What a stage asks of the cluster: the sweep's word, else a default for the device class."""
        asked: ResourcesSpec = getattr(self.spec.resources, stage.value)
        num_gpus = asked.num_gpus
        adaptive = num_gpus is None and stage is not StageKind.TRAIN
        if num_gpus is None:
            on_gpu = self._surroundings.device == "cuda" and stage in ACCELERATED
            num_gpus = (1.0 if stage is StageKind.TRAIN else 0.25) if on_gpu else 0.0
        return Resources(
            num_cpus=asked.num_cpus,
            num_gpus=num_gpus,
            memory_bytes=asked.memory_bytes,
            adaptive=adaptive and num_gpus > 0,
        )

    def curve(self, model: str, method: str, seed: int) -> PlannedCurve:
        """Plan one curve."""
        spec = self.spec.methods[method]
        points = tuple(
            PlannedPoint(compression=compression, key=self._point(model, method, seed, compression))
            for compression in self.spec.compressions_of(method)
        )
        return PlannedCurve(
            model=model,
            dataset=self.spec.data.dataset,
            method=method,
            protocol=_protocol(spec),
            seed=seed,
            points=points,
        )

    def _point(self, model: str, method: str, seed: int, compression: float) -> str:
        label = f"{model}/{method}@{round(compression * 100)}%/seed{seed}"
        spec = self.spec.methods[method]
        if isinstance(spec, DenseMethod):
            return self._evaluate(self._train(model, seed), label)
        if isinstance(spec, CriterionMethod):
            converted = self._convert(self._train(model, seed), fold=False, label=f"{model}/seed{seed}")
            pruned = self._remove(converted, spec, seed, compression, label)
        else:
            pruned = self._resample(self._integral(model, spec, seed), spec, seed, compression, label)
        if spec.recalibrate is not None:
            params = {"num_images": spec.recalibrate, "data": self._data_params, "seed": seed}
            pruned = self._add(StageKind.RECALIBRATE, params, {"network": pruned}, label, self._data_location)
        return self._evaluate(pruned, label)

    def _train(self, name: str, seed: int) -> str:
        model: ModelSpec = self.spec.models[name]
        loaded = model.weights is not None
        params: dict[str, Json] = {
            "network": model.network,
            "source": self._surroundings.sources.get(model.network),
            "arguments": model.arguments,
            "weights": self._surroundings.weights.get(name),
            "train": model.train.model_dump(mode="json") if model.train else None,
            "data": self._data_params,
            "seed": None if loaded else seed,
        }
        locations = {**self._data_location, **({"weights": model.weights} if model.weights else {})}
        label = name if loaded else f"{name}/seed{seed}"
        return self._add(StageKind.TRAIN, params, {}, label, locations)

    def _untrained(self, name: str, seed: int) -> str:
        """The network with the random weights that it would start training from."""
        model: ModelSpec = self.spec.models[name]
        params: dict[str, Json] = {
            "network": model.network,
            "source": self._surroundings.sources.get(model.network),
            "arguments": model.arguments,
            "weights": None,
            "train": None,
            "data": self._data_params,
            "seed": seed,
        }
        return self._add(StageKind.TRAIN, params, {}, f"{name}/untrained/seed{seed}", self._data_location)

    def _convert(self, trained: str, *, fold: bool, label: str) -> str:
        return self._add(StageKind.CONVERT, {"fold_batchnorm": fold}, {"network": trained}, label)

    def _observe(self, converted: str, observation: str, spec: CriterionMethod, seed: int, label: str) -> str:
        """The pass over data that every criterion with the same reading and settings shares."""
        params: dict[str, Json] = {
            "observation": observation,
            "source": self._surroundings.sources.get(observation),
            "num_images": spec.num_images,
            "batch_size": (spec.score or ScoreSpec()).batch_size,
            "data": self._data_params,
            "seed": seed if spec.num_images else None,
        }
        return self._add(StageKind.OBSERVE, params, {"network": converted}, label, self._data_location)

    def _score(self, converted: str, spec: CriterionMethod, seed: int, label: str) -> str:
        own = spec.criterion not in names.CRITERIA  # which may draw
        draws = own or spec.criterion in names.CRITERIA_THAT_DRAW
        params: dict[str, Json] = {"criterion": spec.criterion, "seed": seed if draws else None}
        inputs = {"network": converted}
        if own:
            params["source"] = self._surroundings.sources.get(spec.criterion)
        if spec.reads is not None:
            params["observation"] = spec.reads
            inputs["observation"] = self._observe(converted, spec.reads, spec, seed, label)
        return self._add(StageKind.SCORE, params, inputs, label)

    def _remove(self, converted: str, spec: CriterionMethod, seed: int, compression: float, label: str) -> str:
        scored = self._score(converted, spec, seed, label)
        params: dict[str, Json] = {"how": "remove", "allocation": spec.allocation, "compression": compression}
        return self._add(StageKind.PRUNE, params, {"network": converted, "scores": scored}, label)

    def _integral(self, model: str, spec: IntegralMethod, seed: int) -> str:
        """The network with its channels in the order in which they are functions, trained as such where asked."""
        label = f"{model}/seed{seed}"
        scratch = spec.train is not None and spec.train.start == "scratch"
        start = self._untrained(model, seed) if scratch else self._train(model, seed)
        converted = self._convert(start, fold=not spec.keeps_batchnorm, label=label)
        order = OrderingSpec(method="identity") if scratch else spec.ordering
        ordering: dict[str, Json] = {
            "ordering": order.model_dump(mode="json"),
            "seed": seed if order.method in names.DRAWN_ORDERINGS else None,
        }
        permuted = self._add(StageKind.PERMUTE, ordering, {"network": converted}, label)
        return self._train_integral(permuted, spec.train, seed, label) if spec.train else permuted

    def _train_integral(self, permuted: str, spec: IntegralTrainSpec, seed: int, label: str) -> str:
        params: dict[str, Json] = {
            "train": spec.model_dump(mode="json", exclude={"smallest", "start"}),
            "smallest": spec.smallest,
            "data": self._data_params,
            "seed": seed,
        }
        return self._add(StageKind.TRAIN, params, {"network": permuted}, label, self._data_location)

    def _resample(self, permuted: str, spec: IntegralMethod, seed: int, compression: float, label: str) -> str:
        sampling: dict[str, Json] = {
            "allocation": spec.allocation,
            "compression": compression,
            "partition": spec.partition,
            "quadrature": spec.quadrature,
        }
        inputs = {"network": permuted}
        if spec.tune:
            tuning = {**sampling, "tune": spec.tune.model_dump(mode="json"), "data": self._data_params, "seed": seed}
            tuned = self._add(StageKind.TUNE, tuning, {"network": permuted}, label, self._data_location)
            inputs = {"network": permuted, "partition": tuned}
        return self._add(StageKind.PRUNE, {"how": "resample", **sampling}, inputs, label)

    def _evaluate(self, network: str, label: str) -> str:
        data = self.spec.data
        params = {
            "data": self._data_params,
            "split": "test",
            "num_images": data.test_images,
            "batch_size": data.batch_size,
        }
        return self._add(StageKind.EVALUATE, params, {"network": network}, label, self._data_location)

    def _data(self) -> dict[str, Json]:
        data = self.spec.data
        return {
            "dataset": data.dataset,
            "source": self._surroundings.sources.get(data.dataset),
            "arguments": data.arguments,
            "normalize": data.normalize.model_dump(mode="json") if data.normalize else None,
            "fingerprint": self._surroundings.data,
        }

    def _add(
        self,
        stage: StageKind,
        params: Mapping[str, Json],
        inputs: Mapping[str, str],
        label: str,
        locations: Mapping[str, str] | None = None,
    ) -> str:
        device = self._surroundings.device if stage in ACCELERATED else "cpu"
        environment = self._environments[device]
        if stage is StageKind.PERMUTE:  # its order tasks have the same
            environment = {**environment, "ortools": self._surroundings.ortools_version}
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
