"""The tasks of unstructured methods: rounds of removing single weights and training those that are left."""

from jobs.identity import Json
from jobs.spec import UnstructuredMethod
from jobs.task import StageKind
from orchestrator.planning import networks
from orchestrator.planning.collector import Collector
from orchestrator.planning.trial import Trial


def pruned(tasks: Collector, spec: UnstructuredMethod, trial: Trial) -> str:
    """The network without its smallest weights; with `rewind`, a trained lottery ticket."""
    network = networks.trained(tasks, trial.model, trial.seed)
    start = None
    if spec.rewind is not None:
        start = networks.trained_until(tasks, trial.model, trial.seed, spec.rewind.epoch)
    for number in range(1, spec.rounds + 1):
        params: dict[str, Json] = {
            "how": "magnitude",
            "scope": spec.scope,
            "linear": spec.linear,
            "compression": trial.compression,
            **({"round": [number, spec.rounds]} if spec.rounds > 1 else {}),
        }
        inputs = {"network": network} if start is None else {"network": network, "start": start}
        network = tasks.add(StageKind.PRUNE, params, inputs, trial.label)
        if start is not None or number < spec.rounds:
            network = _trained(tasks, spec, network, trial)
    return network


def _trained(tasks: Collector, spec: UnstructuredMethod, network: str, trial: Trial) -> str:
    """Trained as the model is, from the epoch on whose weights it has."""
    recipe, begin = tasks.spec.models[trial.model].train, spec.rewind.epoch if spec.rewind else 0
    more: dict[str, Json] = {"begin": begin} if begin else {}
    return networks.retrained(tasks, "further", recipe, more, {"network": network}, trial.seed, trial.label)
