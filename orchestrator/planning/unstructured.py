"""The tasks of unstructured methods: rounds of removing single weights and training those that are left."""

from jobs.identity import Json
from jobs.spec import UnstructuredMethod
from jobs.task import StageKind
from orchestrator.planning import networks
from orchestrator.planning.collector import Collector


def pruned(tasks: Collector, spec: UnstructuredMethod, model: str, seed: int, compression: float, label: str) -> str:
    """The network without its smallest weights; with `rewind`, a trained lottery ticket."""
    network = networks.trained(tasks, model, seed)
    start = None if spec.rewind is None else networks.trained_until(tasks, model, seed, spec.rewind.epoch)
    for number in range(1, spec.rounds + 1):
        params: dict[str, Json] = {
            "how": "magnitude",
            "scope": spec.scope,
            "linear": spec.linear,
            "compression": compression,
            **({"round": [number, spec.rounds]} if spec.rounds > 1 else {}),
        }
        inputs = {"network": network} if start is None else {"network": network, "start": start}
        network = tasks.add(StageKind.PRUNE, params, inputs, label)
        if start is not None or number < spec.rounds:
            network = _trained(tasks, spec, model, network, seed, label)
    return network


def _trained(tasks: Collector, spec: UnstructuredMethod, model: str, network: str, seed: int, label: str) -> str:
    """Trained as the model is, from the epoch on whose weights it has."""
    recipe, begin = tasks.spec.models[model].train, spec.rewind.epoch if spec.rewind else 0
    more: dict[str, Json] = {"begin": begin} if begin else {}
    return networks.retrained(tasks, "further", recipe, more, {"network": network}, seed, label)
