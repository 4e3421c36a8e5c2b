"""A small residual network on digits that goes through all stages once; every test looks at what they left."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn

from jobs import names
from jobs.artifact import Commit, Manifest
from jobs.outcome import Failed, Outcome, Succeeded
from jobs.task import GroupSize, StageKind, Task, make_task, order_tasks
from orchestrator.store import ArtifactStore, open_store
from workers.entry import run_task
from workers.network import Recipe, network_files, rebuild

ENVIRONMENT = {"torch": "any", "dtype": "float32", "device": "cpu"}
DATA = {"dataset": "digits", "source": None, "arguments": {}, "normalize": None, "fingerprint": "digits"}
TRAIN = {
    "network": "resnet",
    "source": None,
    "arguments": {"widths": [8, 12], "in_channels": 1},
    "weights": None,
    "train": {"epochs": 1, "batch_size": 32, "learning_rate": 0.05},
    "data": DATA,
    "seed": 0,
}
TUNE = {
    "steps": 6,
    "batch_size": 32,
    "learning_rate": 0.01,
    "samples": 128,
    "holdout": 100,
    "biases": False,
    "target": "labels",
}
SHAPE = (1, 8, 8)


class Workbench:
    """A store and what runs in it."""

    def __init__(self, root: Path) -> None:
        self.store = open_store(root)
        self.tasks: dict[str, Task] = {}

    def run(
        self,
        stage: StageKind,
        params: Mapping[str, object],
        *,
        should_stop: Callable[[], bool] = lambda: False,
        locations: Mapping[str, str] | None = None,
        checkpoint_interval_s: float | None = None,
        **inputs: str,
    ) -> Outcome:
        task = make_task(stage, params=params, inputs=inputs, environment=ENVIRONMENT, locations=locations, label="a")
        outcome = run_task(task, self.store, should_stop=should_stop, checkpoint_interval_s=checkpoint_interval_s)
        if isinstance(outcome, Succeeded):
            self.tasks[task.key] = task
        return outcome

    def key(self, stage: StageKind, params: Mapping[str, object], **inputs: str) -> str:
        """The key of an artifact, which is made where it is missing."""
        outcome = self.run(stage, params, **inputs)
        assert isinstance(outcome, Succeeded), outcome
        return outcome.key

    def measured(self, key: str) -> Mapping[str, object]:
        return self.store.manifest(key).measurements

    def digests(self, key: str) -> dict[str, str]:
        return {name: entry.sha256 for name, entry in self.store.manifest(key).files.items()}

    def json(self, key: str, name: str):
        return json.loads(self.store.read(key, name))

    def tensors(self, key: str, name: str = "weights.safetensors") -> dict[str, Tensor]:
        return load(self.store.read(key, name))

    def network(self, key: str) -> nn.Module:
        value = self.json(key, "network.json")
        folded = tuple((layer, norm) for layer, norm in value["folded"])
        return rebuild(Recipe(**{**value, "folded": folded}), self.tensors(key))

    def put(self, network: str, state: Mapping[str, Tensor]) -> str:
        """Commits a network of the user's own, as `train` would have left it."""
        files = network_files(Recipe(network=network, arguments={}, input_shape=SHAPE), state)
        key = "f" * 32
        self.store.commit(Manifest(key=key, stage="train", identity={}, measurements={}), files)
        return key

    # The line that a network takes.

    def train(self) -> str:
        return self.key(StageKind.TRAIN, TRAIN)

    def convert(self, trained: str | None = None, *, fold: bool = True) -> str:
        return self.key(StageKind.CONVERT, {"fold_batchnorm": fold}, network=trained or self.train())

    def observe(self, converted: str, observation: str, num_images: int | None = 8, **changes) -> str:
        params = {
            "observation": observation,
            "source": None,
            "num_images": num_images,
            "batch_size": 5,
            "data": DATA,
            "seed": 0,
            **changes,
        }
        return self.key(StageKind.OBSERVE, params, network=converted)

    def score(self, converted: str, criterion: str = "l1") -> str:
        params: dict[str, object] = {"criterion": criterion, "seed": 0 if criterion == "random" else None}
        inputs = {"network": converted}
        if observation := names.CRITERIA[criterion]:
            params["observation"] = observation
            inputs["observation"] = self.observe(converted, observation)
        return self.key(StageKind.SCORE, params, **inputs)

    def orders(self, converted: str, permutation: Mapping[str, object]) -> list[str]:
        joining = make_task(
            StageKind.PERMUTE, params=permutation, inputs={"network": converted}, environment=ENVIRONMENT
        )
        groups = [GroupSize(**group) for group in self.measured(converted)["groups"]]
        keys = []
        for task in order_tasks(joining, groups):
            assert isinstance(run_task(task, self.store), Succeeded)
            self.tasks[task.key] = task
            keys.append(task.key)
        return keys

    def permute(self, converted: str | None = None, method: str = "tsp", **ordering: object) -> str:
        converted = converted or self.convert()
        ordering = {"method": method, "metric": "l1", "normalize": "none", "effort": "fast", **ordering}
        permutation = {"ordering": ordering, "seed": None if method == "identity" else 0}
        self.orders(converted, permutation)
        return self.key(StageKind.PERMUTE, permutation, network=converted)

    def sampling(self, compression: float, partition: str = "adaptive", quadrature: str = "product"):
        return {
            "allocation": "uniform",
            "compression": compression,
            "partition": partition,
            "quadrature": quadrature,
        }

    def choose(self, choice: str, compression: float = 0.3) -> str:
        params = {"choice": choice, **self.sampling(compression, "uniform", "midpoint")}
        if choice == "output":
            params |= {"num_images": 32, "data": DATA, "seed": 0}
        return self.key(StageKind.CHOOSE, params, network=self.permute(pool=4))

    def tune(self, permuted: str, compression: float = 0.3, **changes) -> str:
        params = {**self.sampling(compression), "tune": {**TUNE, **changes}, "data": DATA, "seed": 0}
        return self.key(StageKind.TUNE, params, network=permuted)

    def remove(self, converted: str, compression: float = 0.3, criterion: str = "l1") -> str:
        params = {"how": "remove", "allocation": "uniform", "compression": compression}
        return self.key(StageKind.PRUNE, params, network=converted, scores=self.score(converted, criterion))

    def resample(self, permuted: str, compression: float = 0.3, *, sampling: Sequence[str] = (), **inputs: str) -> str:
        params = {"how": "resample", **self.sampling(compression, *sampling)}
        return self.key(StageKind.PRUNE, params, network=permuted, **inputs)

    def train_integral(self, permuted: str, **changes) -> str:
        params = {"how": "functions", "train": TRAIN["train"], "smallest": 0.5, "data": DATA, "seed": 0, **changes}
        return self.key(StageKind.TRAIN, params, network=permuted)

    def recalibrate(self, network: str, num_images: int = 256, seed: int = 0) -> str:
        return self.key(StageKind.RECALIBRATE, {"num_images": num_images, "data": DATA, "seed": seed}, network=network)

    def reconstruct(self, converted: str, how: str, **changes) -> str:
        params = {
            "how": how,
            "allocation": "uniform",
            "compression": 0.3,
            "num_images": 64,
            "batch_size": 32,
            "data": DATA,
            "seed": 0,
            **changes,
        }
        return self.key(StageKind.RECONSTRUCT, params, network=converted)

    def repair(self, network: str) -> str:
        params = {"num_images": 64, "batch_size": 32, "data": DATA, "seed": 0}
        return self.key(StageKind.REPAIR, params, network=network, dense=self.tasks[network].inputs["network"])

    def apply(self, network: str, own: str, *, needs: Sequence[str] = (), seed: int = 0, **arguments) -> Outcome:
        params = {"protocol": own, "source": "1", "arguments": arguments, "needs": list(needs), "seed": seed}
        if {"images", "labels"} & set(needs):
            params["data"] = DATA
        inputs = {"network": network}
        if "dense" in needs:
            inputs["dense"] = self.train()
        return self.run(StageKind.APPLY, params, **inputs)

    def evaluate(self, network: str, **measure) -> str:
        gates = {"latency": None, "reload": False, "export": False, **measure}
        params = {"data": DATA, "split": "test", "num_images": None, "batch_size": 256, "measure": gates}
        return self.key(StageKind.EVALUATE, params, network=network)

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
def images() -> Tensor:
    return torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def failure() -> Callable[[Outcome], Failed]:
    def failure(outcome: Outcome) -> Failed:
        assert isinstance(outcome, Failed), outcome
        return outcome

    return failure
