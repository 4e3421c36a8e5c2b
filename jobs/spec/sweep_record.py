"""What a sweep file says, field by field, and what follows from it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jobs import checks, names
from jobs.spec.allocation import AllocationSpec, PredefinedAllocation
from jobs.spec.base import Compressions, Name, Record, Seed
from jobs.spec.data import DataSpec
from jobs.spec.measure import MeasureSpec
from jobs.spec.methods import BicubicMethod, DenseMethod, MethodSpec
from jobs.spec.models import ModelSpec
from jobs.spec.objective import ClassificationObjective, ObjectiveSpec
from jobs.spec.protocols import NO_PROTOCOL, FollowingProtocol, ProtocolSpec, TransferProtocol
from jobs.spec.prune import PruneSpec
from jobs.spec.resources import BudgetSpec, ProfileSpec, StagesSpec
from jobs.spec.training import TrainSpec
from jobs.stages.table import StageKind


class SweepRecord(Record):
    """What a sweep file says, whether its parts fit together or not."""

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

    def protocols_of(self, method: MethodSpec) -> set[str]:
        """The protocols that are applied to a method's networks, those before others included."""
        return {step for asked in method.protocols for step in self.steps_of(asked)}

    def before(self, protocol: str) -> str:
        """The protocol that comes before another one; `none` where that begins with the pruned network."""
        spec = self.protocols[protocol]
        return spec.after if isinstance(spec, FollowingProtocol) else NO_PROTOCOL

    def steps_of(self, protocol: str) -> tuple[str, ...]:
        """The protocols that one consists of, in the order in which they are applied: itself is the last."""
        if protocol == NO_PROTOCOL:
            return ()
        return (*self.steps_of(self.before(protocol)), protocol)

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
