"""Plans the analysis of a model's architecture: one task for all seeds and checkpoints."""

from dataclasses import replace

from jobs.stages.base import ArtifactKey
from jobs.stages.channels import AnalyseParams, Architecture
from jobs.task import Locations
from jobs.weights import brings_arguments, is_hub
from orchestrator.planning.collector import TaskCollector


def add_analyse_task(tasks: TaskCollector, model: str, *, fold: bool) -> ArtifactKey:
    """The analysis of a model's architecture, its batch norms folded or not.

    The data is part of it only where it shows what the network takes, and then without its normalisation.
    """
    spec, problem = tasks.spec.models[model], tasks.problem_of(model)
    shown = spec.inputs is None  # by the data
    params = AnalyseParams(
        architecture=architecture_of(tasks, model),
        data=replace(problem.data, normalize=None) if shown else None,
        fold_batchnorm=fold,
        parts=spec.prunable,
    )
    locations = Locations(data=problem.location.data if shown else None, weights=_location_of_arguments(tasks, model))
    return tasks.add(params, model, model=model, locations=locations)


def architecture_of(tasks: TaskCollector, name: str) -> Architecture:
    """A model's own network, or, of a transfer, what the protocol builds around the other model's."""
    model, transfer = tasks.spec.models[name], tasks.spec.transfer_of(name)
    if model.transfer is not None and transfer is not None:
        return Architecture(
            network=transfer.network,
            source=tasks.source_of(transfer.network),
            arguments=transfer.arguments,
            backbone=replace(architecture_of(tasks, model.transfer.model), inputs=None),
        )
    network = model.network or ""  # a model without one is a transfer
    return Architecture(
        network=network,
        source=tasks.source_of(network),
        arguments=model.arguments,
        inputs=model.inputs,
        arguments_of=tasks.environment.weights.get(name) if _brings_arguments(tasks, name) else None,
    )


def weights_location(tasks: TaskCollector, name: str) -> str | None:
    """Where a model's weights are; of a repository the commit that the sweep is planned with."""
    weights = tasks.spec.models[name].weights
    return tasks.environment.weights.get(name) if weights and is_hub(weights) else weights


def _brings_arguments(tasks: TaskCollector, name: str) -> bool:
    model = tasks.spec.models[name]
    return bool(model.network and model.weights and brings_arguments(model.weights, model.network))


def _location_of_arguments(tasks: TaskCollector, name: str) -> str | None:
    """Where the weights are whose arguments a model's network has, or that of the model that it is a transfer of."""
    model = tasks.spec.models[name]
    if model.transfer is not None:
        return _location_of_arguments(tasks, model.transfer.model)
    return weights_location(tasks, name) if _brings_arguments(tasks, name) else None
