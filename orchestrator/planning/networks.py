"""The tasks that every method shares: the network with its weights, its channel groups, its evaluation."""

from jobs.identity import Json
from jobs.spec import ModelSpec, TrainSpec
from jobs.task import StageKind
from orchestrator.planning.collector import Collector


def trained(tasks: Collector, name: str, seed: int) -> str:
    """The model's own network: learnt, or loaded."""
    model = tasks.spec.models[name]
    if model.weights is None:
        return tasks.add(StageKind.TRAIN, _learnt(tasks, model, seed), {}, f"{name}/seed{seed}", tasks.data_location)
    params = {**_built(tasks, model), "weights": tasks.surroundings.weights.get(name), "train": None, "seed": None}
    return tasks.add(StageKind.TRAIN, params, {}, name, {**tasks.data_location, "weights": model.weights})


def trained_until(tasks: Collector, name: str, seed: int, epoch: int) -> str:
    """The model's own network as it was after some epochs of its training; at 0, with the weights it started from."""
    if epoch == 0:
        return untrained(tasks, name, seed)
    params = {**_learnt(tasks, tasks.spec.models[name], seed), "until": epoch}
    return tasks.add(StageKind.TRAIN, params, {}, f"{name}/epoch{epoch}/seed{seed}", tasks.data_location)


def untrained(tasks: Collector, name: str, seed: int) -> str:
    """The network with the random weights that it would start training from."""
    params = {**_built(tasks, tasks.spec.models[name]), "weights": None, "train": None, "seed": seed}
    return tasks.add(StageKind.TRAIN, params, {}, f"{name}/untrained/seed{seed}", tasks.data_location)


def retrained(
    tasks: Collector,
    how: str,
    recipe: TrainSpec | None,
    more: dict[str, Json],
    inputs: dict[str, str],
    seed: int,
    label: str,
) -> str:
    """A network trained once more.

    Args:
        tasks: Where tasks are collected.
        how: The way, as the stage `train` knows it.
        recipe: Of the training; None is for models that have none, which the sweep file's checks refuse.
        more: What that way needs besides.
        inputs: Role -> key; `network` is the one that is trained.
        seed: Of the curve.
        label: Of the point.
    """
    params = {
        "how": how,
        "train": recipe.model_dump(mode="json") if recipe else None,
        **more,
        "data": tasks.data_params,
        "seed": seed,
    }
    return tasks.add(StageKind.TRAIN, params, inputs, label, tasks.data_location)


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


def _learnt(tasks: Collector, model: ModelSpec, seed: int) -> dict[str, Json]:
    train = model.train.model_dump(mode="json") if model.train else None
    return {**_built(tasks, model), "weights": None, "train": train, "seed": seed}


def _built(tasks: Collector, model: ModelSpec) -> dict[str, Json]:
    return {
        "network": model.network,
        "source": tasks.source_of(model.network),
        "arguments": model.arguments,
        "data": tasks.data_params,
    }
