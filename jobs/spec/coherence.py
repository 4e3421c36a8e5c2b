"""Whether the parts of a sweep fit together."""

import math
from collections import Counter

from jobs import checks
from jobs.errors import nearest
from jobs.spec.allocation import (
    BestScoreAllocation,
    GlobalAllocation,
    GuidedAllocation,
    IsomorphicAllocation,
    PredefinedAllocation,
)
from jobs.spec.compatibility import (
    NO_RANDOM_WEIGHTS,
    augmentation_conflict,
    distillation_conflict,
    distillations_of,
    graph_conflict,
    measure_conflict,
    method_conflict,
    model_conflict,
    objective_conflict,
    starts_from_random_weights,
    training_of,
)
from jobs.spec.criterion import CriterionMethod
from jobs.spec.distillation import MISPLACED
from jobs.spec.method import RoundsMethod
from jobs.spec.methods import BicubicMethod, MethodSpec
from jobs.spec.objective import SuperResolutionObjective
from jobs.spec.protocols import NO_PROTOCOL, TrainingProtocol, TransferProtocol
from jobs.spec.sweep_record import SweepRecord
from jobs.spec.unstructured import UnstructuredMethod
from jobs.weights import OWN


def check_coherence(sweep: SweepRecord) -> None:
    """Reject a sweep whose parts contradict each other.

    Raises:
        PydanticCustomError: What contradicts what, and what to do; of the first rule that is broken, since later ones
            take earlier ones for granted.
    """
    for rule in _RULES:
        rule(sweep)


def _named_models_exist(sweep: SweepRecord) -> None:
    for name, method in sweep.methods.items():
        for model in method.models or ():
            if model not in sweep.models:
                raise checks.fault(f"method {name} is for the model '{model}'; {nearest(model, sweep.models)}")


def _every_method_has_compressions(sweep: SweepRecord) -> None:
    without = [name for name in sweep.methods if not sweep.compressions_of(name)]
    if without:
        raise checks.fault(f"no compressions for {', '.join(without)}; give them per method or for the whole sweep")


def _transfers_start_from_models_of_their_own(sweep: SweepRecord) -> None:
    for name, model in sweep.models.items():
        if model.transfer is None:
            continue
        source, protocol = model.transfer.model, model.transfer.protocol
        where = f"model {name} is the transfer of"
        if source not in sweep.models:
            raise checks.fault(f"{where} the model '{source}'; {nearest(source, sweep.models)}")
        if sweep.models[source].transfer is not None:
            raise checks.fault(f"{where} '{source}', which is one itself; name a model with a network of its own")
        kinds = [each for each, spec in sweep.protocols.items() if isinstance(spec, TransferProtocol)]
        if protocol not in kinds:
            known = f"those of kind transfer: {', '.join(kinds) or 'none'}"
            raise checks.fault(f"{where} '{source}' by the protocol '{protocol}'; name one of {known}")
        if distillations_of(sweep.protocols[protocol]):
            raise checks.fault(f"{where} '{source}' by the protocol '{protocol}', which {MISPLACED}")


def _protocols_exist_and_are_compatible(sweep: SweepRecord) -> None:
    if NO_PROTOCOL in sweep.protocols:
        raise checks.fault(f"protocol '{NO_PROTOCOL}' is predefined; give yours another name")
    for name in sweep.protocols:
        _check_order(sweep, name)
    for name, method in sweep.methods.items():
        for asked in method.protocols:
            if asked != NO_PROTOCOL:
                _check_protocol(sweep, asked, name, method)


def _check_protocol(sweep: SweepRecord, asked: str, name: str, method: MethodSpec) -> None:
    """Reject a protocol that does not exist or cannot be applied to the method or one of its models."""
    if asked not in sweep.protocols:
        known = nearest(asked, (NO_PROTOCOL, *sweep.protocols))
        raise checks.fault(f"method {name} asks for the protocol '{asked}', which is unknown; {known}")
    trained = False
    for step in sweep.steps_of(asked):
        protocol = sweep.protocols[step]
        where = f"protocol '{step}'" if step == asked else f"protocol '{step}' (before '{asked}')"
        if conflict := method_conflict(protocol, method, trained=trained):
            raise checks.fault(f"method {name} with {where}: it {conflict}")
        for model_name, model in sweep.models.items():
            if method.applies_to(model_name) and (
                conflict := model_conflict(protocol, model, sweep.training_of(model_name))
            ):
                raise checks.fault(f"model {model_name} with {where}: it {conflict}")
        trained = trained or isinstance(protocol, TrainingProtocol)


def _check_order(sweep: SweepRecord, name: str) -> None:
    """Reject a protocol that comes after one that is unknown, after a transfer, or after itself."""
    seen, before = [name], sweep.before(name)
    while before != NO_PROTOCOL:
        if before not in sweep.protocols:
            known = nearest(before, (NO_PROTOCOL, *sweep.protocols))
            raise checks.fault(f"protocol '{seen[-1]}' comes after '{before}', which is unknown; {known}")
        if before in seen:
            raise checks.fault(f"protocol '{name}' comes after itself ({' after '.join((*seen, before))})")
        if isinstance(sweep.protocols[before], TransferProtocol):
            raise checks.fault(
                f"protocol '{seen[-1]}' comes after '{before}', which is a transfer and has to be the last; name "
                "another one"
            )
        seen.append(before)
        before = sweep.before(before)


def _races_can_stop_somebody(sweep: SweepRecord) -> None:
    for name, protocol in sweep.protocols.items():
        race = protocol.race if isinstance(protocol, TrainingProtocol) else None
        fields = _fields(sweep, name)
        if race is None or not fields or any(math.ceil(race.keep * field) < field for field in fields):
            continue
        most = max(fields)
        why = (
            "no two methods with it have a model and a compression in common"
            if most == 1
            else f"keep: {race.keep:g} of {most} methods, rounded up, is all of them"
        )
        raise checks.fault(f"protocol '{name}' has a race that stops nobody: {why}; change that, or remove `race`")


def _fields(sweep: SweepRecord, protocol: str) -> list[int]:
    """How many methods a protocol trains, for each model and compression above 0."""
    return list(
        Counter(
            (model, compression)
            for name, method in sweep.methods.items()
            if protocol in sweep.protocols_of(method)
            for model in sweep.models
            if method.applies_to(model)
            for compression in sweep.compressions_of(name)
            if compression
        ).values()
    )


def _bicubic_enlarges(sweep: SweepRecord) -> None:
    for name, method in sweep.methods.items():
        for model in sweep.models:
            objective = sweep.objective_of(model)
            enlarges = isinstance(objective, SuperResolutionObjective)
            if isinstance(method, BicubicMethod) and method.applies_to(model) and not enlarges:
                raise checks.fault(
                    f"method {name}: bicubic is the control of super-resolution, and model {model} is for "
                    f"{objective.name}; list the other models in `models`"
                )


def _models_and_methods_are_compatible(sweep: SweepRecord) -> None:
    for name, method in sweep.methods.items():
        for model_name, model in sweep.models.items():
            if not method.applies_to(model_name):
                continue
            scratch = starts_from_random_weights(method)
            if scratch and model.weights == OWN:
                raise checks.fault(f"model {model_name} with method {name}: it {NO_RANDOM_WEIGHTS}")
            if scratch and model.transfer:
                raise checks.fault(
                    f"model {model_name} with method {name}: it is the transfer of another model, so it has no "
                    "initial weights to start from; set `start: network`"
                )
            if not isinstance(method, CriterionMethod | UnstructuredMethod):
                continue
            if conflict := method.conflict_with(model):
                raise checks.fault(f"model {model_name} with method {name}: it {conflict}")


def _every_method_supports_the_target(sweep: SweepRecord) -> None:
    for name, method in sweep.methods.items():
        sparsify = method.sparsify if isinstance(method, CriterionMethod) else None
        supported: tuple[str, ...] = ("parameters", "macs", "latency")
        if isinstance(method, UnstructuredMethod):
            supported = supported[:1]
        elif sparsify is not None and sparsify.per_compression:
            supported = supported[:2]
        if sweep.target not in supported:
            known = f"supports target: {' or '.join(supported)} only"
            raise checks.fault(f"method {name} {known}, not {sweep.target}; set another one")


def _allocations_are_consistent(sweep: SweepRecord) -> None:
    for name in sweep.methods:
        allocation = sweep.allocation_of(name)
        if isinstance(allocation, PredefinedAllocation) and sweep.target != "parameters":
            raise checks.fault(
                f"method {name} has predefined widths, whose compression counts parameters; the target is "
                f"{sweep.target}; set target: parameters"
            )
        if isinstance(allocation, GuidedAllocation):
            _check_guide(sweep, name, allocation)


def _limits_are_said_once(sweep: SweepRecord) -> None:
    for name, method in sweep.methods.items():
        allocation = sweep.allocation_of(name)
        if not isinstance(allocation, GlobalAllocation | IsomorphicAllocation | BestScoreAllocation):
            continue
        if allocation.floor == type(allocation).model_fields["floor"].default:
            continue
        if any(sweep.prune_of(model, name).floor for model in sweep.models if method.applies_to(model)):
            raise checks.fault(f"method {name} has a floor in its allocation, and one in `prune`; keep that in `prune`")


def _check_guide(sweep: SweepRecord, name: str, guided: GuidedAllocation) -> None:
    if guided.model is not None and guided.model not in sweep.models:
        raise checks.fault(
            f"method {name} is guided by the model '{guided.model}'; {nearest(guided.model, sweep.models)}"
        )
    if guided.method not in sweep.methods:
        raise checks.fault(f"method {name} is guided by '{guided.method}'; {nearest(guided.method, sweep.methods)}")
    if isinstance(sweep.allocation_of(guided.method), GuidedAllocation | PredefinedAllocation | None):
        raise checks.fault(
            f"method {name} is guided by '{guided.method}', which chooses no widths itself; name one that does"
        )


def _quantised_networks_are_evaluated_on_test(sweep: SweepRecord) -> None:
    splits = {sweep.data_of(model).split for model in sweep.models} - {"test"}
    if sweep.measure.quantize and splits:
        raise checks.fault(
            f"measure.quantize evaluates on the test split, and data.split is {splits.pop()}; remove one of them"
        )


def _every_model_fits_its_objective(sweep: SweepRecord) -> None:
    for name, model in sweep.models.items():
        objective, data = sweep.objective_of(name), sweep.data_of(name)
        if conflict := objective_conflict(objective, data) or measure_conflict(objective, sweep.measure):
            raise checks.fault(f"model {name} with the objective {objective.name}: it {conflict}")
        trainings = {"train": model.train} | {
            f"protocol '{step}'": training_of(sweep.protocols[step])
            for method in sweep.methods.values()
            if method.applies_to(name)
            for step in sweep.protocols_of(method)
        }
        trainings |= {
            f"method {each}": method.train
            for each, method in sweep.methods.items()
            if isinstance(method, RoundsMethod) and method.applies_to(name)
        }
        for where, recipe in trainings.items():
            if recipe and (conflict := augmentation_conflict(objective, recipe)):
                raise checks.fault(f"model {name}, {where}: {conflict}")
    for name, protocol in sweep.protocols.items():
        if isinstance(protocol, TransferProtocol):
            objective = protocol.objective
            if conflict := (
                objective_conflict(objective, protocol.data)
                or measure_conflict(objective, sweep.measure)
                or augmentation_conflict(objective, protocol.train)
            ):
                raise checks.fault(f"protocol {name} with the objective {objective.name}: it {conflict}")


def _networks_can_be_written_as_graphs(sweep: SweepRecord) -> None:
    for name, model in sweep.models.items():
        if conflict := graph_conflict(model, sweep.measure):
            raise checks.fault(f"model {name}: it {conflict}")


def _every_distillation_fits_its_objective(sweep: SweepRecord) -> None:
    for model in sweep.models:
        for name, method in sweep.methods.items():
            asked = {f"protocol '{each}'": sweep.protocols[each] for each in sweep.protocols_of(method)}
            records = {f"method {name}": method, **asked} if method.applies_to(model) else {}
            for where, record in records.items():
                transfer = record if isinstance(record, TransferProtocol) else None
                objective = transfer.objective if transfer else sweep.objective_of(model)
                for distill in distillations_of(record):
                    if conflict := distillation_conflict(objective, distill):
                        raise checks.fault(f"model {model}, {where}: {conflict}")


_RULES = (
    _named_models_exist,
    _every_method_has_compressions,
    _transfers_start_from_models_of_their_own,
    _protocols_exist_and_are_compatible,
    _races_can_stop_somebody,
    _bicubic_enlarges,
    _models_and_methods_are_compatible,
    _every_method_supports_the_target,
    _allocations_are_consistent,
    _limits_are_said_once,
    _quantised_networks_are_evaluated_on_test,
    _every_model_fits_its_objective,
    _networks_can_be_written_as_graphs,
    _every_distillation_fits_its_objective,
)
