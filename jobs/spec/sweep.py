"""The whole sweep file, and the consistency of its parts."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobs import checks, names
from jobs.errors import nearest
from jobs.spec.allocation import (
    AllocationSpec,
    BestScoreAllocation,
    GlobalAllocation,
    GuidedAllocation,
    IsomorphicAllocation,
    PredefinedAllocation,
)
from jobs.spec.base import Compressions, Name, Record, Seed
from jobs.spec.compatibility import (
    NO_RANDOM_WEIGHTS,
    augmentation_conflict,
    distillation_conflict,
    distillations_of,
    measure_conflict,
    method_conflict,
    model_conflict,
    objective_conflict,
    starts_from_random_weights,
    training_of,
)
from jobs.spec.criterion import CriterionMethod
from jobs.spec.data import DataSpec
from jobs.spec.distillation import MISPLACED
from jobs.spec.measure import MeasureSpec
from jobs.spec.method import RoundsMethod
from jobs.spec.methods import BicubicMethod, DenseMethod, MethodSpec
from jobs.spec.models import ModelSpec
from jobs.spec.objective import ClassificationObjective, ObjectiveSpec, SuperResolutionObjective
from jobs.spec.protocols import NO_PROTOCOL, FollowingProtocol, ProtocolSpec, TransferProtocol
from jobs.spec.prune import PruneSpec
from jobs.spec.resources import BudgetSpec, ProfileSpec, StagesSpec
from jobs.spec.training import TrainSpec
from jobs.spec.unstructured import UnstructuredMethod
from jobs.stages.table import StageKind
from jobs.weights import OWN


class SweepSpec(Record):
    """One sweep: models x methods x compressions x seeds on one data set."""

    name: Name = Field(description="Also the name of the MLflow experiment.")
    storage: str = Field(
        default="~/.orchard/store",
        description="URI of the store, as every worker sees it. Here and in `tracking`, `${VARIABLE}` is filled in.",
    )
    tracking: str = Field(default="sqlite:///~/.orchard/mlflow.db", description="MLflow's tracking URI.")
    seeds: Annotated[tuple[Seed, ...], AfterValidator(checks.not_empty), AfterValidator(checks.no_repeats)] = Field(
        default=(0,), description="One curve each."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="`auto`: cuda where the cluster has GPUs when the sweep starts, or its autoscaler can start some.",
    )
    objective: ObjectiveSpec = Field(
        default=ClassificationObjective(),
        description="What the networks are for: the loss and the metrics. A kind ("
        + ", ".join(f"`{name}`" for name in names.OBJECTIVES)
        + "), a record with its settings, or your own `package.module:callable`.",
    )
    data: DataSpec
    compressions: Compressions | None = Field(
        default=None,
        description="Compressions (pruning ratios): fractions of the `target`'s cost to remove, in steps of 0.01, for "
        "every method.",
    )
    target: Literal["parameters", "macs", "latency"] = Field(
        default="parameters",
        description="The cost that compressions are fractions of; `latency`: profiled per layer on the sweep's device.",
    )
    profile: ProfileSpec = ProfileSpec()
    prune: PruneSpec = PruneSpec()
    models: Annotated[dict[Name, ModelSpec], AfterValidator(checks.not_empty)] = Field(
        description="By their names; or many at once, from checkpoints or a table, see [ManyModels](#manymodels)."
    )
    methods: Annotated[dict[Name, MethodSpec], AfterValidator(checks.not_empty)]
    protocols: dict[Name, ProtocolSpec] = Field(
        default_factory=dict, description="The protocols that methods can name; `none` is predefined."
    )
    measure: MeasureSpec = MeasureSpec()
    controls: bool = Field(
        default=True,
        description="Add the methods `dense` and `random`, for super-resolution also `bicubic`, where the sweep has "
        "none of their kind.",
    )
    resources: StagesSpec = Field(
        default_factory=dict,
        description=f"Resource requests by stage: {', '.join(f'`{stage}`' for stage in StageKind)}.",
    )
    priority: int = Field(
        default=0,
        ge=-100,
        le=100,
        description="Of sweeps on one cluster with one store, those of higher priority are served first; equal ones "
        "share the cluster evenly.",
    )
    budget: BudgetSpec = BudgetSpec()

    @model_validator(mode="after")
    def _named_models_exist(self) -> Self:
        for name, method in self.methods.items():
            for model in method.models or ():
                if model not in self.models:
                    raise checks.fault(f"method {name} is for the model '{model}'; {nearest(model, self.models)}")
        return self

    @model_validator(mode="after")
    def _every_method_has_compressions(self) -> Self:
        without = [name for name in self.methods if not self.compressions_of(name)]
        if without:
            raise checks.fault(f"no compressions for {', '.join(without)}; give them per method or for the whole sweep")
        return self

    @model_validator(mode="after")
    def _transfers_start_from_models_of_their_own(self) -> Self:
        for name, model in self.models.items():
            if model.transfer is None:
                continue
            source, protocol = model.transfer.model, model.transfer.protocol
            where = f"model {name} is the transfer of"
            if source not in self.models:
                raise checks.fault(f"{where} the model '{source}'; {nearest(source, self.models)}")
            if self.models[source].transfer is not None:
                raise checks.fault(f"{where} '{source}', which is one itself; name a model with a network of its own")
            kinds = [each for each, spec in self.protocols.items() if isinstance(spec, TransferProtocol)]
            if protocol not in kinds:
                known = f"those of kind transfer: {', '.join(kinds) or 'none'}"
                raise checks.fault(f"{where} '{source}' by the protocol '{protocol}'; name one of {known}")
            if distillations_of(self.protocols[protocol]):
                raise checks.fault(f"{where} '{source}' by the protocol '{protocol}', which {MISPLACED}")
        return self

    @model_validator(mode="after")
    def _protocols_exist_and_are_compatible(self) -> Self:
        if NO_PROTOCOL in self.protocols:
            raise checks.fault(f"protocol '{NO_PROTOCOL}' is predefined; give yours another name")
        for name in self.protocols:
            self._check_order(name)
        for name, method in self.methods.items():
            for asked in method.protocols:
                if asked != NO_PROTOCOL:
                    self._check_protocol(asked, name, method)
        return self

    def _check_protocol(self, asked: str, name: str, method: MethodSpec) -> None:
        """Reject a protocol that does not exist or cannot be applied to the method or one of its models."""
        if asked not in self.protocols:
            known = nearest(asked, (NO_PROTOCOL, *self.protocols))
            raise checks.fault(f"method {name} asks for the protocol '{asked}', which is unknown; {known}")
        for step in self.steps_of(asked):
            protocol = self.protocols[step]
            where = f"protocol '{step}'" if step == asked else f"protocol '{step}' (before '{asked}')"
            if conflict := method_conflict(protocol, method):
                raise checks.fault(f"method {name} with {where}: it {conflict}")
            for model_name, model in self.models.items():
                if method.applies_to(model_name) and (
                    conflict := model_conflict(protocol, model, self.training_of(model_name))
                ):
                    raise checks.fault(f"model {model_name} with {where}: it {conflict}")

    def _check_order(self, name: str) -> None:
        """Reject a protocol that comes after one that is unknown, after a transfer, or after itself."""
        seen, before = [name], self._before(name)
        while before != NO_PROTOCOL:
            if before not in self.protocols:
                known = nearest(before, (NO_PROTOCOL, *self.protocols))
                raise checks.fault(f"protocol '{seen[-1]}' comes after '{before}', which is unknown; {known}")
            if before in seen:
                raise checks.fault(f"protocol '{name}' comes after itself ({' after '.join((*seen, before))})")
            if isinstance(self.protocols[before], TransferProtocol):
                raise checks.fault(
                    f"protocol '{seen[-1]}' comes after '{before}', which is a transfer and has to be the last; name "
                    "another one"
                )
            seen.append(before)
            before = self._before(before)

    def _before(self, protocol: str) -> str:
        spec = self.protocols[protocol]
        return spec.after if isinstance(spec, FollowingProtocol) else NO_PROTOCOL

    def steps_of(self, protocol: str) -> tuple[str, ...]:
        """The protocols that one consists of, in the order in which they are applied: itself is the last."""
        if protocol == NO_PROTOCOL:
            return ()
        return (*self.steps_of(self._before(protocol)), protocol)

    @model_validator(mode="after")
    def _bicubic_enlarges(self) -> Self:
        for name, method in self.methods.items():
            for model in self.models:
                objective = self.objective_of(model)
                enlarges = isinstance(objective, SuperResolutionObjective)
                if isinstance(method, BicubicMethod) and method.applies_to(model) and not enlarges:
                    raise checks.fault(
                        f"method {name}: bicubic is the control of super-resolution, and model {model} is for "
                        f"{objective.name}; list the other models in `models`"
                    )
        return self

    @model_validator(mode="after")
    def _models_and_methods_are_compatible(self) -> Self:
        for name, method in self.methods.items():
            for model_name, model in self.models.items():
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
        return self

    @model_validator(mode="after")
    def _every_method_supports_the_target(self) -> Self:
        for name, method in self.methods.items():
            sparsify = method.sparsify if isinstance(method, CriterionMethod) else None
            supported: tuple[str, ...] = ("parameters", "macs", "latency")
            if isinstance(method, UnstructuredMethod):
                supported = supported[:1]
            elif sparsify is not None and sparsify.per_compression:
                supported = supported[:2]
            if self.target not in supported:
                known = f"supports target: {' or '.join(supported)} only"
                raise checks.fault(f"method {name} {known}, not {self.target}; set another one")
        return self

    @model_validator(mode="after")
    def _allocations_are_consistent(self) -> Self:
        for name in self.methods:
            allocation = self.allocation_of(name)
            if isinstance(allocation, PredefinedAllocation) and self.target != "parameters":
                raise checks.fault(
                    f"method {name} has predefined widths, whose compression counts parameters; the target is "
                    f"{self.target}; set target: parameters"
                )
            if isinstance(allocation, GuidedAllocation):
                self._check_guide(name, allocation)
        return self

    @model_validator(mode="after")
    def _limits_are_said_once(self) -> Self:
        for name, method in self.methods.items():
            allocation = self.allocation_of(name)
            if not isinstance(allocation, GlobalAllocation | IsomorphicAllocation | BestScoreAllocation):
                continue
            if allocation.floor == type(allocation).model_fields["floor"].default:
                continue
            if any(self.prune_of(model, name).floor for model in self.models if method.applies_to(model)):
                raise checks.fault(
                    f"method {name} has a floor in its allocation, and one in `prune`; keep that in `prune`"
                )
        return self

    def _check_guide(self, name: str, guided: GuidedAllocation) -> None:
        if guided.model is not None and guided.model not in self.models:
            raise checks.fault(
                f"method {name} is guided by the model '{guided.model}'; {nearest(guided.model, self.models)}"
            )
        if guided.method not in self.methods:
            raise checks.fault(f"method {name} is guided by '{guided.method}'; {nearest(guided.method, self.methods)}")
        if isinstance(self.allocation_of(guided.method), GuidedAllocation | PredefinedAllocation | None):
            raise checks.fault(
                f"method {name} is guided by '{guided.method}', which chooses no widths itself; name one that does"
            )

    @model_validator(mode="after")
    def _quantised_networks_are_evaluated_on_test(self) -> Self:
        splits = {self.data_of(model).split for model in self.models} - {"test"}
        if self.measure.quantize and splits:
            raise checks.fault(
                f"measure.quantize evaluates on the test split, and data.split is {splits.pop()}; remove one of them"
            )
        return self

    @model_validator(mode="after")
    def _every_model_fits_its_objective(self) -> Self:
        for name, model in self.models.items():
            objective, data = self.objective_of(name), self.data_of(name)
            if conflict := objective_conflict(objective, data) or measure_conflict(objective, self.measure):
                raise checks.fault(f"model {name} with the objective {objective.name}: it {conflict}")
            trainings = {"train": model.train} | {
                f"protocol '{asked}'": training_of(self.protocols[asked])
                for method in self.methods.values()
                if method.applies_to(name)
                for asked in method.protocols
                if asked != NO_PROTOCOL
            }
            trainings |= {
                f"method {each}": method.train
                for each, method in self.methods.items()
                if isinstance(method, RoundsMethod) and method.applies_to(name)
            }
            for where, recipe in trainings.items():
                if recipe and (conflict := augmentation_conflict(objective, recipe)):
                    raise checks.fault(f"model {name}, {where}: {conflict}")
        for name, protocol in self.protocols.items():
            if isinstance(protocol, TransferProtocol):
                objective = protocol.objective
                if conflict := (
                    objective_conflict(objective, protocol.data)
                    or measure_conflict(objective, self.measure)
                    or augmentation_conflict(objective, protocol.train)
                ):
                    raise checks.fault(f"protocol {name} with the objective {objective.name}: it {conflict}")
        return self

    @model_validator(mode="after")
    def _every_distillation_fits_its_objective(self) -> Self:
        for model in self.models:
            for name, method in self.methods.items():
                asked = {f"protocol '{each}'": self.protocols[each] for each in self.protocols_of(method)}
                records = {f"method {name}": method, **asked} if method.applies_to(model) else {}
                for where, record in records.items():
                    transfer = record if isinstance(record, TransferProtocol) else None
                    objective = transfer.objective if transfer else self.objective_of(model)
                    for distill in distillations_of(record):
                        if conflict := distillation_conflict(objective, distill):
                            raise checks.fault(f"model {model}, {where}: {conflict}")
        return self

    def protocols_of(self, method: MethodSpec) -> set[str]:
        """The protocols that are applied to a method's networks, those before others included."""
        return {step for asked in method.protocols for step in self.steps_of(asked)}

    def objective_of(self, model: str) -> ObjectiveSpec:
        """What a model is for: its own objective, else the sweep's."""
        transfer = self.transfer_of(model)
        return transfer.objective if transfer else self.models[model].objective or self.objective

    def data_of(self, model: str) -> DataSpec:
        """The data set of a model: its own, else the sweep's."""
        transfer = self.transfer_of(model)
        return transfer.data if transfer else self.models[model].data or self.data

    def training_of(self, model: str) -> TrainSpec | None:
        """How a model's own network is trained; None where it comes from a checkpoint."""
        transfer = self.transfer_of(model)
        return transfer.train if transfer else self.models[model].train

    def transfer_of(self, model: str) -> TransferProtocol | None:
        """The protocol that makes a model's own network of another model's; None for a model of its own."""
        source = self.models[model].transfer
        protocol = self.protocols.get(source.protocol) if source else None
        return protocol if isinstance(protocol, TransferProtocol) else None

    def control_of(self, protocol: str) -> str:
        """The protocol of the dense network that networks after a protocol are compared with.

        After a transfer it is that transfer, without what comes before it where the sweep has such a protocol.
        """
        transfer = self.protocols.get(protocol)
        if not isinstance(transfer, TransferProtocol):
            return NO_PROTOCOL
        plain = transfer.model_copy(update={"after": NO_PROTOCOL})
        return next((name for name, each in self.protocols.items() if each == plain), protocol)

    def prune_of(self, model: str, method: str) -> PruneSpec:
        """What may be cut of a model by a method: the sweep's limits, overridden by the model's and the method's."""
        own = getattr(self.methods[method], "prune", None)
        return self.prune.overridden_by(self.models[model].prune).overridden_by(own)

    def allocation_of(self, method: str) -> AllocationSpec | None:
        """The allocation of a method; None for a method without widths."""
        return getattr(self.methods[method], "allocation", None)

    def compressions_of(self, method: str) -> tuple[float, ...]:
        """The compressions of a method: its own, else the sweep's; 0 alone for `dense` and `bicubic`."""
        spec = self.methods[method]
        if isinstance(spec, DenseMethod | BicubicMethod):
            return (0.0,)
        allocation = self.allocation_of(method)
        if isinstance(allocation, PredefinedAllocation):
            return (allocation.nominal,)
        return spec.compressions or self.compressions or ()
