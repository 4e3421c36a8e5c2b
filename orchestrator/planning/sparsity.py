"""The tasks of a training that brings parts of a network towards zero, before a criterion removes them."""

from jobs.identity import Json
from jobs.spec import SparsifySpec
from orchestrator.planning import networks
from orchestrator.planning.collector import Collector


def sparsified(tasks: Collector, spec: SparsifySpec, model: str, seed: int, compression: float) -> str:
    """The model's network after that training: one for all compressions, unless its penalty depends on them."""
    start = networks.untrained if spec.start == "scratch" else networks.trained
    recipe = spec.train or tasks.spec.models[model].train
    more: dict[str, Json] = {"regulariser": spec.regulariser(compression)}
    inputs = {"network": start(tasks, model, seed)}
    return networks.retrained(tasks, "sparsify", recipe, more, inputs, seed, f"{model}/{spec.kind}/seed{seed}")
