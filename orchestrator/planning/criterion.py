"""The tasks of criterion methods: observe, score, remove; before that, a sparse training where asked."""

from collections.abc import Mapping

from jobs import names
from jobs.identity import Json
from jobs.spec import CriterionMethod, ScoreSpec
from jobs.task import StageKind
from orchestrator.planning import networks
from orchestrator.planning.allocation import Cut, chosen
from orchestrator.planning.collector import Collector
from orchestrator.planning.sparsity import sparsified
from orchestrator.planning.trial import Trial


def pruned(tasks: Collector, spec: CriterionMethod, trial: Trial, designs: Mapping[str, str]) -> str:
    """The network without the channels that are worth least."""
    start = (
        networks.trained(tasks, trial.model, trial.seed)
        if spec.sparsify is None
        else sparsified(tasks, spec.sparsify, trial)
    )
    converted = networks.converted(tasks, start, fold=False, label=trial.shared_label)
    how = {"how": "remove"}
    cut = Cut(network=converted, how=how, scores=_scored(tasks, converted, spec, trial))
    choice = chosen(tasks, spec.allocation, cut, trial, designs)
    return tasks.add(StageKind.PRUNE, {**how, **choice.params}, choice.inputs, trial.label)


def _scored(tasks: Collector, converted: str, spec: CriterionMethod, trial: Trial) -> str:
    own = spec.criterion not in names.CRITERIA  # which may draw
    draws = own or spec.criterion in names.CRITERIA_THAT_DRAW
    params: dict[str, Json] = {"criterion": spec.criterion, "seed": trial.seed if draws else None}
    inputs = {"network": converted}
    if own:
        params["source"] = tasks.source_of(spec.criterion)
    if spec.reads is not None:
        params["observation"] = spec.reads
        inputs["observation"] = _observed(tasks, converted, spec.reads, spec, trial)
    return tasks.add(StageKind.SCORE, params, inputs, trial.label)


def _observed(tasks: Collector, converted: str, observation: str, spec: CriterionMethod, trial: Trial) -> str:
    """The pass over data that every criterion with the same reading and settings shares."""
    params: dict[str, Json] = {
        "observation": observation,
        "source": tasks.source_of(observation),
        "num_images": spec.num_images,
        "batch_size": (spec.score or ScoreSpec()).batch_size,
        "data": tasks.data_params,
        "seed": trial.seed if spec.num_images else None,
    }
    return tasks.add(StageKind.OBSERVE, params, {"network": converted}, trial.label, tasks.data_location)
