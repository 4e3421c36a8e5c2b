"""The tasks that every method shares: the network with its weights, its channel groups, its evaluation."""

from jobs.identity import Json
from jobs.spec import ModelSpec
from jobs.task import StageKind
from orchestrator.planning.collector import Collector


def trained(tasks: Collector, name: str, seed: int) -> str:
    """The model's own network: learnt, or loaded."""
    model = tasks.spec.models[name]
    loaded = model.weights is not None
    params = {
        **_built(tasks, model),
        "weights": tasks.surroundings.weights.get(name),
        "train": model.train.model_dump(mode="json") if model.train else None,
        "seed": None if loaded else seed,
    }
    locations = {**tasks.data_location, **({"weights": model.weights} if model.weights else {})}
    return tasks.add(StageKind.TRAIN, params, {}, name if loaded else f"{name}/seed{seed}", locations)


def untrained(tasks: Collector, name: str, seed: int) -> str:
    """The network with the random weights that it would start training from."""
    params = {**_built(tasks, tasks.spec.models[name]), "weights": None, "train": None, "seed": seed}
    return tasks.add(StageKind.TRAIN, params, {}, f"{name}/untrained/seed{seed}", tasks.data_location)


def converted(tasks: Collector, network: str, *, fold: bool, label: str) -> str:
    """A network with its channel groups, its batch norms folded or not."""
    return tasks.add(StageKind.CONVERT, {"fold_batchnorm": fold}, {"network": network}, label)


def evaluated(tasks: Collector, network: str, label: str) -> str:
    """What a network is worth on the test split."""
    data = tasks.spec.data
    params: dict[str, Json] = {
        "data": tasks.data_params,
        "split": "test",
        "num_images": data.test_images,
        "batch_size": data.batch_size,
        "measure": tasks.spec.measure.model_dump(mode="json"),
    }
    return tasks.add(StageKind.EVALUATE, params, {"network": network}, label, tasks.data_location)


def _built(tasks: Collector, model: ModelSpec) -> dict[str, Json]:
    return {
        "network": model.network,
        "source": tasks.source_of(model.network),
        "arguments": model.arguments,
        "data": tasks.data_params,
    }
