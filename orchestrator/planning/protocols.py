"""Plans protocols: the tasks between a pruned network and its evaluation."""

from jobs.spec.protocols import (
    NO_PROTOCOL,
    FineTuneProtocol,
    OwnProtocol,
    RecalibrateProtocol,
    RepairProtocol,
    RewindProtocol,
    ScratchProtocol,
    TransferProtocol,
)
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey
from jobs.stages.finishing import ApplyParams, RecalibrateParams, RepairParams
from jobs.stages.pruning import ChannelRewinding, PruneParams
from jobs.stages.training import FurtherTraining, ScratchBudget, ScratchTraining
from jobs.task import NOWHERE
from orchestrator.planning.collector import TaskCollector
from orchestrator.planning.networks import (
    add_early_train_task,
    add_retrain_task,
    add_train_task,
    add_transfer_task,
    pruned_from,
    recipe_of,
)
from orchestrator.planning.racing import PlannedRace, entrants_of
from orchestrator.planning.trial import Trial


def plan_protocol(tasks: TaskCollector, name: str, network: ArtifactKey, trial: Trial) -> ArtifactKey:
    """The network after a protocol.

    Args:
        tasks: Collects the tasks.
        name: The protocol's name in the sweep.
        network: The task whose artifact is the pruned network.
        trial: The trial.
    """
    problem = tasks.problem_of(trial.model)
    if name == NO_PROTOCOL:
        return network
    match tasks.spec.protocols[name]:
        case RecalibrateProtocol() as protocol:
            before = plan_protocol(tasks, protocol.after, network, trial)
            params = RecalibrateParams(
                network=before,
                images=problem.images(protocol.images),
                batch_size=protocol.batch_size,
                seed=trial.seed,
            )
            return tasks.add(params, trial.label, model=trial.model, locations=problem.location)
        case RepairProtocol() as protocol:
            return _add_repair_task(tasks, protocol, network, trial)
        case FineTuneProtocol() | ScratchProtocol() | RewindProtocol() as protocol:
            return _plan_training(tasks, name, protocol, network, trial)
        case TransferProtocol() as protocol:
            backbone = plan_protocol(tasks, protocol.after, network, trial)
            return add_transfer_task(tasks, name, backbone, trial.label, model=trial.model, seed=trial.seed)
        case OwnProtocol() as protocol:
            return _add_apply_task(tasks, protocol, plan_protocol(tasks, protocol.after, network, trial), trial)


def _add_repair_task(tasks: TaskCollector, protocol: RepairProtocol, network: ArtifactKey, trial: Trial) -> ArtifactKey:
    problem = tasks.problem_of(trial.model)
    params = RepairParams(
        network=network,
        dense=pruned_from(tasks, network),
        images=problem.images(protocol.images),
        batch_size=protocol.batch_size,
        seed=trial.seed,
    )
    return tasks.add(params, trial.label, model=trial.model, locations=problem.location)


def _plan_training(
    tasks: TaskCollector,
    name: str,
    protocol: FineTuneProtocol | ScratchProtocol | RewindProtocol,
    network: ArtifactKey,
    trial: Trial,
) -> ArtifactKey:
    """The network trained further, in a race with those of other methods where the protocol says so."""

    def procedure(each: Trial, pruned: ArtifactKey) -> FurtherTraining | ScratchTraining:
        match protocol:
            case FineTuneProtocol():
                before = plan_protocol(tasks, protocol.after, pruned, each)
                return FurtherTraining(network=before, recipe=Recipe.of(protocol.train))
            case ScratchProtocol():
                return _scratch_training(tasks, protocol, pruned, each)
            case RewindProtocol():
                return _rewound_training(tasks, protocol, pruned, each)

    entrants = entrants_of(tasks, name, trial) if protocol.race else {}
    if protocol.race is None or len(entrants) < 2 or trial.method not in entrants:
        return add_retrain_task(tasks, procedure(trial, network), trial)
    return PlannedRace(tasks, name, protocol.race, entrants, procedure).trained(trial)


def _scratch_training(
    tasks: TaskCollector, protocol: ScratchProtocol, network: ArtifactKey, trial: Trial
) -> ScratchTraining:
    budget = None
    if protocol.budget != "epochs":
        budget = ScratchBudget(cap=protocol.cap, fine_tuning_epochs=protocol.fine_tuning_epochs or 0)
    return ScratchTraining(
        network=network,
        dense=add_train_task(tasks, trial.model, trial.seed),
        recipe=Recipe.of(recipe_of(tasks, trial.model, protocol.train)),
        budget=budget,
    )


def _rewound_training(
    tasks: TaskCollector, protocol: RewindProtocol, network: ArtifactKey, trial: Trial
) -> FurtherTraining:
    """The model's training from an earlier epoch, with the channels that the pruned network keeps."""
    recipe = recipe_of(tasks, trial.model)
    begin = protocol.begin(recipe.epochs)
    if protocol.what == "weights":
        procedure = ChannelRewinding(
            network=add_early_train_task(tasks, trial.model, trial.seed, begin),
            channels=pruned_from(tasks, network),
            pruned=network,
        )
        network = tasks.add(PruneParams(procedure=procedure), trial.label, model=trial.model)
    recipe = Recipe.of(recipe, begin=begin, distill=protocol.distill)
    return FurtherTraining(network=network, recipe=recipe)


def _add_apply_task(tasks: TaskCollector, protocol: OwnProtocol, network: ArtifactKey, trial: Trial) -> ArtifactKey:
    problem = tasks.problem_of(trial.model)
    needs_data = bool({"images", "labels"} & set(protocol.needs))
    params = ApplyParams(
        network=network,
        protocol=protocol.change,
        source=tasks.source_of(protocol.change),
        arguments=protocol.arguments,
        needs=tuple(sorted(protocol.needs)),
        dense=add_train_task(tasks, trial.model, trial.seed) if "dense" in protocol.needs else None,
        data=problem.data if needs_data else None,
        seed=trial.seed,
    )
    locations = problem.location if needs_data else NOWHERE
    return tasks.add(params, trial.label, model=trial.model, locations=locations)
