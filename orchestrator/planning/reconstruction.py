"""The task of reconstruction methods: choose, cut and refit layer by layer."""

from jobs.identity import Json
from jobs.spec import ReconstructionMethod
from jobs.task import StageKind
from orchestrator.planning import networks
from orchestrator.planning.collector import Collector


def pruned(tasks: Collector, spec: ReconstructionMethod, model: str, seed: int, compression: float, label: str) -> str:
    """The network without the channels that the layers which read them miss least, these layers refitted."""
    start = networks.trained(tasks, model, seed)
    converted = networks.converted(tasks, start, fold=False, label=f"{model}/seed{seed}")
    params: dict[str, Json] = {
        "how": spec.how,
        "allocation": spec.allocation,
        "compression": compression,
        "num_images": spec.images,
        "batch_size": spec.batch_size,
        "data": tasks.data_params,
        "seed": seed,
    }
    return tasks.add(StageKind.RECONSTRUCT, params, {"network": converted}, label, tasks.data_location)
