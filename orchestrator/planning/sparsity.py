"""The tasks of a training that brings parts of a network towards zero, before a criterion removes them."""

from jobs.identity import Json
from jobs.spec import SparsifySpec
from orchestrator.planning import networks
from orchestrator.planning.collector import Collector
from orchestrator.planning.trial import Trial


def sparsified(tasks: Collector, spec: SparsifySpec, trial: Trial) -> str:
    """The model's network after that training: one for all compressions, unless its penalty depends on them."""
    start = networks.untrained if spec.start == "scratch" else networks.trained
    recipe = spec.train or tasks.spec.models[trial.model].train
    more: dict[str, Json] = {"regulariser": spec.regulariser(trial.compression)}
    inputs = {"network": start(tasks, trial.model, trial.seed)}
    label = f"{trial.model}/{spec.kind}/seed{trial.seed}"
    return networks.retrained(tasks, "sparsify", recipe, more, inputs, trial.seed, label)
