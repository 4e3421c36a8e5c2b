"""Plans the tasks that all methods share: training, conversion into channel groups, evaluation."""

from dataclasses import replace

from jobs.errors import BadInputError
from jobs.spec.objective import SuperResolutionObjective
from jobs.spec.protocols import TransferProtocol
from jobs.spec.training import Recipe, TrainSpec
from jobs.stages.base import ArtifactKey
from jobs.stages.channels import ChooseParams, ConvertParams, PermuteParams
from jobs.stages.finishing import EvaluateParams
from jobs.stages.pruning import ChannelPruning, PruneParams, ReconstructParams
from jobs.stages.training import (
    FurtherTraining,
    ModelWeights,
    ScratchTraining,
    SparseTraining,
    TrainParams,
    TransferTraining,
)
from orchestrator.planning.architecture import add_analyse_task, architecture_of, weights_location
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.problem import Problem
from orchestrator.planning.trial import Trial


def add_train_task(tasks: TaskCollector, name: str, seed: int) -> ArtifactKey:
    """The model's own network: trained, or loaded from a checkpoint."""
    return tasks.once(("train", name, seed), lambda: _add_train_task(tasks, name, seed))


def add_early_train_task(tasks: TaskCollector, name: str, seed: int, epoch: int) -> ArtifactKey:
    """The model's own network after `epoch` epochs of its training; at 0, with what that starts from."""
    if epoch == 0:
        return _add_model_task(tasks, name, f"{name}/untrained/seed{seed}", recipe=None, seed=seed)
    recipe = Recipe.of(recipe_of(tasks, name), until=epoch)
    return _add_model_task(tasks, name, f"{name}/epoch{epoch}/seed{seed}", recipe=recipe, seed=seed)


def add_untrained_task(tasks: TaskCollector, name: str, seed: int) -> ArtifactKey:
    """The network with its initial random weights."""
    return _add_network_task(tasks, name, f"{name}/untrained/seed{seed}", recipe=None, seed=seed)


def add_bicubic_task(tasks: TaskCollector, name: str) -> ArtifactKey:
    """Bicubic enlargement as a network, with the scale that is left to the model's network.

    Raises:
        TypeError: The model is for something else; validation of the sweep file should have rejected it.
    """
    problem, objective = tasks.problem_of(name), tasks.spec.objective_of(name)
    if not isinstance(objective, SuperResolutionObjective):
        raise TypeError(f"model {name} does not enlarge images: its objective is {objective.name}")
    scale = 1 if problem.data.arguments.get("enlarged") else objective.scale
    params = TrainParams(
        procedure=ModelWeights(network="bicubic", arguments={"scale": scale}),
        data=problem.data,
        objective=problem.objective,
    )
    return tasks.add(params, f"{name}/bicubic", model=name, locations=problem.location)


def add_retrain_task(
    tasks: TaskCollector,
    procedure: FurtherTraining | ScratchTraining | SparseTraining,
    trial: Trial,
    label: str | None = None,
    work: float = 1.0,
) -> ArtifactKey:
    """A network trained once more, its teacher added; the label is the trial's unless another one is given.

    Args:
        tasks: Collects the tasks.
        procedure: How it is trained.
        trial: The trial.
        label: For people.
        work: The expected share of a whole training.
    """
    problem = tasks.problem_of(trial.model)
    if not isinstance(procedure, SparseTraining):
        teacher = teacher_of(tasks, procedure.network, procedure.recipe, model=trial.model, seed=trial.seed)
        procedure = replace(procedure, teacher=teacher)
    params = TrainParams(procedure=procedure, data=problem.data, objective=problem.objective, seed=trial.seed)
    return tasks.add(params, label or trial.label, model=trial.model, locations=problem.location, work=work)


def teacher_of(
    tasks: TaskCollector, network: ArtifactKey, recipe: Recipe, *, model: str, seed: int
) -> ArtifactKey | None:
    """The dense network that a network is distilled from; None where the recipe distils nothing.

    Where features are compared, its channels are in the order that those of the network had before they were pruned.
    """
    if recipe.distill is None:
        return None
    dense = add_train_task(tasks, model, seed)
    if recipe.distill.features is None:
        return dense
    key, ordered = network, dense
    while key != dense:
        task = tasks.tasks[key]
        if ordered == dense and isinstance(task.params, PermuteParams | ChooseParams):
            ordered = key
        source = task.inputs.get("network") or task.inputs.get("procedure.network")
        if source is None:
            return dense  # the network began with other weights
        key = ArtifactKey(source)
    return ordered


def add_convert_task(tasks: TaskCollector, network: ArtifactKey, trial: Trial, *, fold: bool) -> ArtifactKey:
    """A model's network with its channel groups, its batch norms folded or not."""

    def add() -> ArtifactKey:
        params = ConvertParams(network=network, analysis=add_analyse_task(tasks, trial.model, fold=fold))
        return tasks.add(params, trial.shared_label, model=trial.model)

    return tasks.once(("convert", network, trial.model, fold), add)


def add_transfer_task(
    tasks: TaskCollector, protocol: str, network: ArtifactKey, label: str, *, model: str, seed: int
) -> ArtifactKey:
    """A network with another one as its backbone, trained as a transfer protocol says.

    Args:
        tasks: Collects the tasks.
        protocol: Name of the protocol.
        network: The backbone.
        label: For people.
        model: The model, as the task's family.
        seed: Of the training.

    Raises:
        TypeError: The protocol is of another kind; validation of the sweep file should have rejected it.
    """
    spec, problem = tasks.spec.protocols[protocol], tasks.problem_of(model, protocol)
    if not isinstance(spec, TransferProtocol):
        raise TypeError(f"protocol {protocol} transfers nothing")

    def add(procedure: TransferTraining) -> ArtifactKey:
        params = TrainParams(procedure=procedure, data=problem.data, objective=problem.objective, seed=seed)
        return tasks.add(params, label, model=model, locations=problem.location)

    procedure = TransferTraining(
        network=network,
        target=spec.network,
        source=tasks.source_of(spec.network),
        arguments=spec.arguments,
        recipe=Recipe.of(spec.train),
    )
    whole = teacher_of(tasks, network, procedure.recipe, model=model, seed=seed)
    if whole is None:
        return add(procedure)
    plain = procedure.recipe.model_copy(update={"distill": None})
    return add(replace(procedure, teacher=add(replace(procedure, network=whole, recipe=plain))))


def add_evaluate_task(tasks: TaskCollector, network: ArtifactKey, trial: Trial, problem: Problem) -> ArtifactKey:
    """The evaluation of a network on the split that the sweep asks for, of the problem that it is for by now."""
    data = problem.spec
    params = EvaluateParams(
        network=network,
        data=problem.data,
        objective=problem.objective,
        split=data.split,
        num_images=data.test_images if data.split == "test" else None,
        batch_size=data.batch_size,
        measure=tasks.spec.measure.gates,
    )
    return tasks.add(params, trial.label, model=trial.model, locations=problem.location)


def recipe_of(tasks: TaskCollector, model: str, own: TrainSpec | None = None) -> TrainSpec:
    """Training settings: the given ones, else the model's.

    Raises:
        BadInputError: There are none; validation of the sweep file should have rejected it.
    """
    recipe = own or tasks.spec.training_of(model)
    if recipe is None:
        raise BadInputError(f"model {model} comes from a checkpoint without training settings; give it a `train` block")
    return recipe


def dense_of(tasks: TaskCollector, network: ArtifactKey) -> ArtifactKey:
    """The network, with its channel groups, before the first round that led to a pruned one.

    Raises:
        TypeError: The task does not prune.
    """
    source, params = pruned_from(tasks, network), tasks.tasks[network].params
    pruning = params.procedure if isinstance(params, PruneParams) else params
    widths = pruning.widths if isinstance(pruning, ChannelPruning | ReconstructParams) else None
    return widths.round.dense if widths is not None and widths.round is not None else source


def pruned_from(tasks: TaskCollector, network: ArtifactKey) -> ArtifactKey:
    """The network, with its channel groups, that a network was pruned from; in rounds, what it was before the last one.

    Raises:
        TypeError: The task does not prune.
    """
    match tasks.tasks[network].params:
        case PruneParams(procedure=procedure):
            return procedure.network
        case ReconstructParams() as params:
            return params.network
        case other:
            raise TypeError(f"{type(other).__name__} does not prune a network")


def _add_train_task(tasks: TaskCollector, name: str, seed: int) -> ArtifactKey:
    model = tasks.spec.models[name]
    if model.transfer is not None:
        backbone = add_train_task(tasks, model.transfer.model, seed)
        protocol = model.transfer.protocol
        return add_transfer_task(tasks, protocol, backbone, f"{name}/seed{seed}", model=name, seed=seed)
    recipe = Recipe.of(model.train) if model.train else None
    return _add_model_task(tasks, name, f"{name}/seed{seed}", recipe=recipe, seed=seed)


def _add_model_task(tasks: TaskCollector, name: str, label: str, *, recipe: Recipe | None, seed: int) -> ArtifactKey:
    """The model's network with its weights, if it has any, trained if there is a recipe; one for all seeds if not."""
    model, problem, known = tasks.spec.models[name], tasks.problem_of(name), tasks.environment.weights.get(name)
    if model.weights is None:
        return _add_network_task(tasks, name, label, recipe=recipe, seed=seed)
    params = TrainParams(
        procedure=replace(_own_network(tasks, name), weights=known, reading=model.reading, recipe=recipe),
        data=problem.data,
        objective=problem.objective,
        seed=seed if model.train else None,  # a head that is replaced before the training follows the seed, too
    )
    locations = replace(problem.location, weights=weights_location(tasks, name))
    return tasks.add(params, label if model.train else name, model=name, locations=locations)


def _add_network_task(tasks: TaskCollector, name: str, label: str, *, recipe: Recipe | None, seed: int) -> ArtifactKey:
    """The model's network with random weights, trained if there is a recipe."""
    problem, arguments_of = tasks.problem_of(name), architecture_of(tasks, name).arguments_of
    procedure = replace(_own_network(tasks, name), arguments_of=arguments_of, recipe=recipe)
    location = problem.location
    if arguments_of is not None:
        location = replace(location, weights=weights_location(tasks, name))
    params = TrainParams(procedure=procedure, data=problem.data, objective=problem.objective, seed=seed)
    return tasks.add(params, label, model=name, locations=location)


def _own_network(tasks: TaskCollector, name: str) -> ModelWeights:
    """The network of a model with one of its own, without weights.

    Raises:
        TypeError: It is the transfer of another model; validation of the sweep file should have rejected it.
    """
    own = architecture_of(tasks, name)
    if own.backbone is not None:
        raise TypeError(f"model {name} has no network of its own")
    return ModelWeights(network=own.network, source=own.source, arguments=own.arguments, inputs=own.inputs)
