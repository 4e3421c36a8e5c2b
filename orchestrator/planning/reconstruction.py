"""The task of reconstruction methods: choose, cut and refit layer by layer."""

from collections.abc import Mapping

from jobs.identity import Json
from jobs.spec import ReconstructionMethod
from jobs.task import StageKind
from orchestrator.planning import networks
from orchestrator.planning.allocation import Cut, chosen
from orchestrator.planning.collector import Collector
from orchestrator.planning.trial import Trial


def pruned(tasks: Collector, spec: ReconstructionMethod, trial: Trial, designs: Mapping[str, str]) -> str:
    """The network without the channels that the layers which read them miss least, these layers refitted."""
    start = networks.trained(tasks, trial.model, trial.seed)
    converted = networks.converted(tasks, start, fold=False, label=trial.shared_label)
    how: dict[str, Json] = {
        "how": spec.how,
        "num_images": spec.images,
        "batch_size": spec.batch_size,
        "data": tasks.data_params,
        "seed": trial.seed,
    }
    choice = chosen(tasks, spec.allocation, Cut(network=converted, how=how), trial, designs)
    return tasks.add(StageKind.RECONSTRUCT, {**how, **choice.params}, choice.inputs, trial.label, tasks.data_location)
