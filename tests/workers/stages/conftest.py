"""A small residual network on digits that goes through all stages once; tests share the artifacts."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from jobs import names
from jobs.artifact import Commit, Manifest
from jobs.outcome import Failed, Outcome, Succeeded
from jobs.spec.allocation import UniformAllocation
from jobs.spec.attack import Attack, AttackSpec
from jobs.spec.effort import EFFORTS
from jobs.spec.integral import TuneSpec
from jobs.spec.measure import GateSpec, LatencySpec, QuantizeSpec
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.channels import (
    AnalyseParams,
    Architecture,
    ChooseParams,
    ConvertParams,
    OrderingParams,
    PermuteParams,
)
from jobs.stages.common import CalibrationParams, DatasetParams, Removal, Resampling, WidthParams
from jobs.stages.finishing import (
    ApplyParams,
    AttackParams,
    EvaluateParams,
    ExportParams,
    QuantizeParams,
    RecalibrateParams,
    RepairParams,
    TimedNetwork,
    TimeParams,
)
from jobs.stages.pruning import ChannelPruning, PruneParams, ReconstructParams, TuneParams
from jobs.stages.scoring import Observed, ObserveParams, ScoreParams
from jobs.stages.training import (
    FurtherTraining,
    IntegralTraining,
    Leg,
    ModelWeights,
    RaceParams,
    ScratchBudget,
    ScratchTraining,
    TrainParams,
)
from jobs.task import NOWHERE, Locations, Task, joined_tasks, make_task
from orchestrator.store import ArtifactStore, open_store
from workers.attempt.entry import run_task
from workers.inputs import InputSpec
from workers.network import NetworkRecipe, network_files, rebuild

ENVIRONMENT = {"torch": "any", "dtype": "float32", "device": "cpu"}
DATA = DatasetParams(dataset="digits", fingerprint="digits")
RECIPE = Recipe(epochs=1, batch_size=32, learning_rate=0.05)
TUNE = TuneSpec(steps=6, batch_size=32, learning_rate=0.01, samples=128, holdout=100)
NET = ModelWeights(network="resnet", arguments={"widths": [8, 12], "in_channels": 1}, recipe=RECIPE)
SHAPE = (1, 8, 8)


class Workbench:
    """A store and what runs in it."""

    def __init__(self, root: Path) -> None:
        self.store = open_store(root)
        self.tasks: dict[str, Task] = {}

    def run(
        self,
        params: StageParams,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        locations: Locations = NOWHERE,
        checkpoint_interval_s: float | None = None,
    ) -> Outcome:
        task = make_task(params, environment=ENVIRONMENT, locations=locations, label="a")
        outcome = run_task(task, self.store, should_stop=should_stop, checkpoint_interval_s=checkpoint_interval_s)
        if isinstance(outcome, Succeeded):
            self.tasks[task.key] = task
        return outcome

    def key(self, params: StageParams) -> ArtifactKey:
        """The key of an artifact, which is made where it is missing."""
        outcome = self.run(params)
        assert isinstance(outcome, Succeeded), outcome
        return ArtifactKey(outcome.key)

    def params(self, key: str, **changes) -> StageParams:
        """Those of the task that left an artifact, with changes."""
        return replace(self.tasks[key].params, **changes)

    def measured(self, key: str) -> Mapping[str, object]:
        return self.store.manifest(key).measurements

    def digests(self, key: str) -> dict[str, str]:
        return {name: entry.sha256 for name, entry in self.store.manifest(key).files.items()}

    def json(self, key: str, name: str):
        return json.loads(self.store.read(key, name))

    def tensors(self, key: str, name: str = "weights.safetensors") -> dict[str, Tensor]:
        return load(self.store.read(key, name))

    def network(self, key: str) -> nn.Module:
        return rebuild(NetworkRecipe.from_json(self.store.read(key, "network.json")), self.tensors(key))

    def put(self, network: str, state: Mapping[str, Tensor]) -> ArtifactKey:
        """Commits a network of the user's own, as `train` would have left it."""
        files = network_files(NetworkRecipe(network=network, arguments={}, inputs=InputSpec.of_shape(SHAPE)), state)
        key = ArtifactKey("f" * 32)
        self.store.commit(Manifest(key=key, stage="train", identity={}, measurements={}), files)
        return key

    # The line that a network takes.

    def model(self, seed: int | None = 0, **changes) -> TrainParams:
        """The model that all tests share, with changes."""
        return TrainParams(procedure=replace(NET, **changes), data=DATA, seed=seed)

    def train(self, **changes) -> ArtifactKey:
        return self.key(self.model(**changes))

    def analysis(
        self, trained: ArtifactKey | None = None, *, fold: bool = True, parts: tuple[str, ...] | None = None
    ) -> AnalyseParams:
        """Of the architecture of a network, which is not looked at."""
        recipe = NetworkRecipe.from_json(self.store.read(trained or self.train(), "network.json"))
        architecture = Architecture(
            network=recipe.network, arguments=dict(recipe.arguments), inputs=recipe.inputs.tensors
        )
        return AnalyseParams(architecture=architecture, fold_batchnorm=fold, parts=parts)

    def analyse(self, trained: ArtifactKey | None = None, **asked: object) -> ArtifactKey:
        return self.key(self.analysis(trained, **asked))

    def convert(self, trained: ArtifactKey | None = None, **asked: object) -> ArtifactKey:
        network = trained or self.train()
        return self.key(ConvertParams(network=network, analysis=self.analyse(network, **asked)))

    def images(self, num_images: int | None) -> CalibrationParams:
        return CalibrationParams(data=DATA, num_images=num_images)

    def observe(
        self, converted: ArtifactKey, observation: str, num_images: int | None = 8, seed: int | None = 0
    ) -> ArtifactKey:
        images = self.images(num_images)
        params = ObserveParams(network=converted, observation=observation, images=images, batch_size=5, seed=seed)
        return self.key(params)

    def score(self, converted: ArtifactKey, criterion: str = "l1", seed: int = 0) -> ArtifactKey:
        observed = None
        if observation := names.CRITERIA[criterion]:
            observed = Observed(observation=observation, artifact=self.observe(converted, observation))
        drawn = seed if criterion == "random" else None
        return self.key(ScoreParams(network=converted, criterion=criterion, observed=observed, seed=drawn))

    def permutation(self, converted: ArtifactKey, method: str = "tsp", **ordering: object) -> PermuteParams:
        chosen = {"metric": "l1", "normalize": "none", "limits": EFFORTS["fast"], "ortools": "any", **ordering}
        seed = None if method == "identity" else 0
        return PermuteParams(network=converted, ordering=OrderingParams(method=method, **chosen), seed=seed)

    def orders(self, permutation: PermuteParams) -> list[str]:
        """The keys of the `order` tasks that a permutation joins."""
        tasks = joined_tasks(make_task(permutation, environment=ENVIRONMENT), self.measured(permutation.network))
        for task in tasks:
            assert isinstance(run_task(task, self.store), Succeeded)
            self.tasks[task.key] = task
        return [task.key for task in tasks]

    def permute(self, converted: ArtifactKey | None = None, method: str = "tsp", **ordering: object) -> ArtifactKey:
        permutation = self.permutation(converted or self.convert(), method, **ordering)
        self.orders(permutation)
        return self.key(permutation)

    def widths(self, compression: float, **changes) -> WidthParams:
        return WidthParams(**{"allocation": UniformAllocation(), "compression": compression, **changes})

    def sampling(
        self, partition: str = "adaptive", quadrature: str = "product", repair: str | None = None
    ) -> Resampling:
        return Resampling(partition=partition, quadrature=quadrature, repair=repair)

    def choose(self, choice: str, compression: float = 0.3) -> ArtifactKey:
        params = ChooseParams(
            network=self.permute(pool=4),
            widths=self.widths(compression),
            choice=choice,
            partition="uniform",
            quadrature="midpoint",
            images=self.images(32) if choice == "output" else None,
            seed=0 if choice == "output" else None,
        )
        return self.key(params)

    def tuning(self, permuted: ArtifactKey, compression: float = 0.3, **changes) -> TuneParams:
        return TuneParams(
            network=permuted,
            widths=self.widths(compression),
            how=self.sampling(),
            tune=TUNE.model_copy(update=changes),
            data=DATA,
            seed=0,
        )

    def tune(self, permuted: ArtifactKey, compression: float = 0.3, **changes) -> ArtifactKey:
        return self.key(self.tuning(permuted, compression, **changes))

    def removal(
        self, converted: ArtifactKey, compression: float = 0.3, criterion: str = "l1", **widths: object
    ) -> PruneParams:
        how = Removal(scores=self.score(converted, criterion))
        procedure = ChannelPruning(network=converted, widths=self.widths(compression, **widths), how=how)
        return PruneParams(procedure=procedure)

    def remove(
        self, converted: ArtifactKey, compression: float = 0.3, criterion: str = "l1", **widths: object
    ) -> ArtifactKey:
        return self.key(self.removal(converted, compression, criterion, **widths))

    def resample(
        self,
        permuted: ArtifactKey,
        compression: float = 0.3,
        *,
        sampling: Sequence[str] = (),
        tuned: ArtifactKey | None = None,
        matched: int | None = None,
        **widths: object,
    ) -> ArtifactKey:
        procedure = ChannelPruning(
            network=permuted,
            widths=self.widths(compression, **widths),
            how=self.sampling(*sampling),
            tuned=tuned,
            images=self.images(matched) if matched else None,
        )
        return self.key(PruneParams(procedure=procedure, seed=0 if matched else None))

    def train_integral(self, permuted: ArtifactKey, smallest: float = 0.5, **recipe: object) -> ArtifactKey:
        procedure = IntegralTraining(network=permuted, recipe=RECIPE.model_copy(update=recipe), smallest=smallest)
        return self.key(TrainParams(procedure=procedure, data=DATA, seed=0))

    def further(
        self, network: ArtifactKey, recipe: Recipe = RECIPE, leg: Leg | None = None, seed: int = 0
    ) -> TrainParams:
        return TrainParams(procedure=FurtherTraining(network=network, recipe=recipe, leg=leg), data=DATA, seed=seed)

    def race(self, *entrants: Sequence[ArtifactKey], keep: float = 0.5) -> ArtifactKey:
        return self.key(RaceParams(entrants=tuple(map(tuple, entrants)), keep=keep))

    def scratch(
        self,
        network: ArtifactKey,
        dense: ArtifactKey,
        recipe: Recipe = RECIPE,
        budget: ScratchBudget | None = None,
        seed: int = 0,
        leg: Leg | None = None,
    ) -> TrainParams:
        procedure = ScratchTraining(network=network, dense=dense, recipe=recipe, budget=budget, leg=leg)
        return TrainParams(procedure=procedure, data=DATA, seed=seed)

    def recalibrate(
        self, network: ArtifactKey, num_images: int = 256, seed: int = 0, batch_size: int = 128
    ) -> ArtifactKey:
        images = self.images(num_images)
        return self.key(RecalibrateParams(network=network, images=images, batch_size=batch_size, seed=seed))

    def reconstruct(
        self, converted: ArtifactKey, how: str, compression: float = 0.3, num_images: int = 64, **widths: object
    ) -> ArtifactKey:
        params = ReconstructParams(
            network=converted,
            widths=self.widths(compression, **widths),
            how=how,
            images=self.images(num_images),
            batch_size=32,
            seed=0,
        )
        return self.key(params)

    def repair(self, network: ArtifactKey) -> ArtifactKey:
        params = self.tasks[network].params
        dense = params.procedure.network if isinstance(params, PruneParams) else params.network
        return self.key(RepairParams(network=network, dense=dense, images=self.images(64), batch_size=32, seed=0))

    def apply(
        self, network: ArtifactKey, own: str, *, needs: Sequence[str] = (), seed: int = 0, **arguments
    ) -> Outcome:
        params = ApplyParams(
            network=network,
            protocol=own,
            source="1",
            arguments=arguments,
            needs=tuple(needs),
            dense=self.train() if "dense" in needs else None,
            data=DATA if {"images", "labels"} & set(needs) else None,
            seed=seed,
        )
        return self.run(params)

    def evaluation(self, network: ArtifactKey, **gates: bool) -> EvaluateParams:
        gates = GateSpec(**{"reload": False, **gates})
        return EvaluateParams(network=network, data=DATA, batch_size=256, measure=gates)

    def evaluate(self, network: ArtifactKey, **gates: bool) -> ArtifactKey:
        return self.key(self.evaluation(network, **gates))

    def attacking(self, network: ArtifactKey, images: int = 64, **by: Attack) -> AttackParams:
        return AttackParams(network=network, data=DATA, batch_size=24, attacks=AttackSpec(images=images, by=by), seed=0)

    def attack(self, network: ArtifactKey, images: int = 64, **by: Attack) -> ArtifactKey:
        return self.key(self.attacking(network, images, **by))

    def export(self, network: ArtifactKey) -> ArtifactKey:
        return self.key(ExportParams(network=network, onnx="any"))

    def quantize(self, graph: ArtifactKey, num_images: int | None = None, **quantization: object) -> ArtifactKey:
        params = QuantizeParams(
            graph=graph,
            quantization=QuantizeSpec(**quantization),
            images=self.images(64),
            num_images=num_images,
            batch_size=256,
            onnx="any",
            seed=0,
        )
        return self.key(params)

    def timing(self, timed: TimedNetwork, dense: TimedNetwork, **latency: object) -> TimeParams:
        spec = LatencySpec(**{"warmup": 1, "repeats": 4, **latency})
        return TimeParams(timed=timed, dense=dense, latency=spec, onnx="any")

    def run_again(self, key: str) -> Commit:
        """Runs a task although its artifact is there."""
        store = _Forgetful(self.store)
        outcome = run_task(self.tasks[key], store)
        assert isinstance(outcome, Succeeded), outcome
        return store.commits[0]


class _Forgetful(ArtifactStore):
    """Says that nothing is there, and keeps what came of each commit."""

    def __init__(self, store: ArtifactStore) -> None:
        super().__init__(store.files)
        self.commits: list[Commit] = []

    def has(self, key: str) -> bool:
        return False

    def commit(self, manifest, files) -> Commit:
        self.commits.append(super().commit(manifest, files))
        return self.commits[-1]


@pytest.fixture(scope="session")
def bench(tmp_path_factory) -> Workbench:
    """Shared by all tests: a stage that two of them ask for runs once."""
    torch.set_num_threads(1)
    return Workbench(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def own_bench(tmp_path, bench) -> Workbench:
    """One that a test may fill with what others must not see; shares the trained network."""
    own = Workbench(tmp_path / "store")
    trained = bench.train()
    own.store.commit(
        bench.store.manifest(trained), {name: bench.store.read(trained, name) for name in bench.digests(trained)}
    )
    own.tasks[trained] = bench.tasks[trained]
    return own


@pytest.fixture
def evaluated() -> Iterator[set[int]]:
    """The sizes of the batches that networks get in evaluation mode from here on."""
    sizes: set[int] = set()

    def note(module: nn.Module, inputs: tuple[object, ...]) -> None:
        if isinstance(module, nn.Linear) and not module.training and isinstance(inputs[0], Tensor):
            sizes.add(len(inputs[0]))

    hook = register_module_forward_pre_hook(note)
    yield sizes
    hook.remove()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def failure() -> Callable[[Outcome], Failed]:
    def failure(outcome: Outcome) -> Failed:
        assert isinstance(outcome, Failed), outcome
        return outcome

    return failure
