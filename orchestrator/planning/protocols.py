"""The tasks of protocols: from a pruned network to the one that is evaluated."""

from jobs.identity import Json
from jobs.spec import NO_PROTOCOL, RepairProtocol
from jobs.task import StageKind
from orchestrator.planning.collector import Collector


def with_protocol(tasks: Collector, name: str, network: str, seed: int, label: str) -> str:
    """The network after a protocol.

    Args:
        tasks: Where tasks are collected.
        name: The protocol's name in the sweep.
        network: Key of the task that leaves the network.
        seed: Of the curve.
        label: Of the point.
    """
    if name == NO_PROTOCOL:
        return network
    protocol = tasks.spec.protocols[name]
    params: dict[str, Json] = {"num_images": protocol.images, "data": tasks.data_params, "seed": seed}
    if isinstance(protocol, RepairProtocol):
        params["batch_size"] = protocol.batch_size
        inputs = {"network": network, "dense": tasks.tasks[network].inputs["network"]}
        return tasks.add(StageKind.REPAIR, params, inputs, label, tasks.data_location)
    return tasks.add(StageKind.RECALIBRATE, params, {"network": network}, label, tasks.data_location)
