"""The tasks of protocols: from a pruned network to the one that is evaluated."""

from jobs.identity import Json
from jobs.spec import (
    NO_PROTOCOL,
    FineTuneProtocol,
    OwnProtocol,
    RecalibrateProtocol,
    RepairProtocol,
    RewindProtocol,
    ScratchProtocol,
)
from jobs.task import StageKind
from orchestrator.planning import networks
from orchestrator.planning.collector import Collector
from orchestrator.planning.trial import Trial


def with_protocol(tasks: Collector, name: str, network: str, trial: Trial) -> str:
    """The network after a protocol.

    Args:
        tasks: Where tasks are collected.
        name: The protocol's name in the sweep.
        network: Key of the task that leaves the network.
        trial: What it is for.
    """
    if name == NO_PROTOCOL:
        return network
    match tasks.spec.protocols[name]:
        case RecalibrateProtocol() as protocol:
            params = {"num_images": protocol.images, "data": tasks.data_params, "seed": trial.seed}
            return tasks.add(StageKind.RECALIBRATE, params, {"network": network}, trial.label, tasks.data_location)
        case RepairProtocol() as protocol:
            return _repaired(tasks, protocol, network, trial)
        case FineTuneProtocol() as protocol:
            return networks.retrained(
                tasks, "further", protocol.train, {}, {"network": network}, trial.seed, trial.label
            )
        case ScratchProtocol() as protocol:
            return _from_scratch(tasks, protocol, network, trial)
        case RewindProtocol() as protocol:
            return _rewound(tasks, protocol, network, trial)
        case OwnProtocol() as protocol:
            return _applied(tasks, protocol, network, trial)


def _repaired(tasks: Collector, protocol: RepairProtocol, network: str, trial: Trial) -> str:
    params: dict[str, Json] = {
        "num_images": protocol.images,
        "batch_size": protocol.batch_size,
        "data": tasks.data_params,
        "seed": trial.seed,
    }
    inputs = {"network": network, "dense": tasks.tasks[network].inputs["network"]}
    return tasks.add(StageKind.REPAIR, params, inputs, trial.label, tasks.data_location)


def _from_scratch(tasks: Collector, protocol: ScratchProtocol, network: str, trial: Trial) -> str:
    recipe = protocol.train or tasks.spec.models[trial.model].train
    more: dict[str, Json] = {}
    if protocol.budget != "epochs":
        more["budget"] = {"cap": protocol.cap, "fine_tuning_epochs": protocol.fine_tuning_epochs or 0}
    inputs = {"network": network, "dense": networks.trained(tasks, trial.model, trial.seed)}
    return networks.retrained(tasks, "scratch", recipe, more, inputs, trial.seed, trial.label)


def _rewound(tasks: Collector, protocol: RewindProtocol, network: str, trial: Trial) -> str:
    """The model's training from an earlier epoch on, with the channels that the pruned network kept."""
    recipe = tasks.spec.models[trial.model].train
    begin = protocol.begin(recipe.epochs if recipe else 0)
    if protocol.what == "weights":
        inputs = {
            "network": networks.trained_until(tasks, trial.model, trial.seed, begin),
            "channels": tasks.tasks[network].inputs["network"],
            "pruned": network,
        }
        network = tasks.add(StageKind.PRUNE, {"how": "rewind"}, inputs, trial.label)
    return networks.retrained(
        tasks, "further", recipe, {"begin": begin} if begin else {}, {"network": network}, trial.seed, trial.label
    )


def _applied(tasks: Collector, protocol: OwnProtocol, network: str, trial: Trial) -> str:
    looks = {"images", "labels"} & set(protocol.needs)
    params: dict[str, Json] = {
        "protocol": protocol.change,
        "source": tasks.source_of(protocol.change),
        "arguments": protocol.arguments,
        "needs": sorted(protocol.needs),
        "seed": trial.seed,
        **({"data": tasks.data_params} if looks else {}),
    }
    inputs = {"network": network}
    if "dense" in protocol.needs:
        inputs["dense"] = networks.trained(tasks, trial.model, trial.seed)
    return tasks.add(StageKind.APPLY, params, inputs, trial.label, tasks.data_location if looks else None)
