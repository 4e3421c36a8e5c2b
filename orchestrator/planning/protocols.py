"""The tasks of protocols: from a pruned network to the one that is evaluated."""

from jobs.spec import NO_PROTOCOL
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
    params = {"num_images": protocol.images, "data": tasks.data_params, "seed": seed}
    return tasks.add(StageKind.RECALIBRATE, params, {"network": network}, label, tasks.data_location)
