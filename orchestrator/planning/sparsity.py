"""The tasks of a training that brings parts of a network towards zero, before a criterion removes them."""

from jobs.identity import Json
from jobs.spec import SparsifySpec
from jobs.task import StageKind
from orchestrator.planning import networks
from orchestrator.planning.collector import Collector


def sparsified(tasks: Collector, spec: SparsifySpec, model: str, seed: int, compression: float) -> str:
    """The model's network after that training: one for all compressions, unless its penalty depends on them."""
    start = networks.untrained if spec.start == "scratch" else networks.trained
    recipe = spec.train or tasks.spec.models[model].train
    params: dict[str, Json] = {
        "how": "sparsify",
        "train": recipe.model_dump(mode="json") if recipe else None,
        "regulariser": spec.regulariser(compression),
        "data": tasks.data_params,
        "seed": seed,
    }
    inputs = {"network": start(tasks, model, seed)}
    return tasks.add(StageKind.TRAIN, params, inputs, f"{model}/{spec.kind}/seed{seed}", tasks.data_location)
