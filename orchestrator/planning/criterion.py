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


def pruned(
    tasks: Collector,
    spec: CriterionMethod,
    model: str,
    seed: int,
    compression: float,
    label: str,
    designs: Mapping[str, str],
) -> str:
    """The network without the channels that are worth least."""
    start = (
        networks.trained(tasks, model, seed)
        if spec.sparsify is None
        else sparsified(tasks, spec.sparsify, model, seed, compression)
    )
    converted = networks.converted(tasks, start, fold=False, label=f"{model}/seed{seed}")
    scored = _scored(tasks, converted, spec, seed, label)
    how = {"how": "remove"}
    cut = Cut(network=converted, how=how, scores=scored, compression=compression, seed=seed, label=label)
    choice = chosen(tasks, spec.allocation, cut, designs)
    return tasks.add(StageKind.PRUNE, {**how, **choice.params}, choice.inputs, label)


def _scored(tasks: Collector, converted: str, spec: CriterionMethod, seed: int, label: str) -> str:
    own = spec.criterion not in names.CRITERIA  # which may draw
    draws = own or spec.criterion in names.CRITERIA_THAT_DRAW
    params: dict[str, Json] = {"criterion": spec.criterion, "seed": seed if draws else None}
    inputs = {"network": converted}
    if own:
        params["source"] = tasks.source_of(spec.criterion)
    if spec.reads is not None:
        params["observation"] = spec.reads
        inputs["observation"] = _observed(tasks, converted, spec.reads, spec, seed, label)
    return tasks.add(StageKind.SCORE, params, inputs, label)


def _observed(tasks: Collector, converted: str, observation: str, spec: CriterionMethod, seed: int, label: str) -> str:
    """The pass over data that every criterion with the same reading and settings shares."""
    params: dict[str, Json] = {
        "observation": observation,
        "source": tasks.source_of(observation),
        "num_images": spec.num_images,
        "batch_size": (spec.score or ScoreSpec()).batch_size,
        "data": tasks.data_params,
        "seed": seed if spec.num_images else None,
    }
    return tasks.add(StageKind.OBSERVE, params, {"network": converted}, label, tasks.data_location)
