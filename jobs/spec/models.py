"""Networks, and where their weights come from."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from jobs import checks
from jobs.spec.base import Location, Name, Record
from jobs.spec.data import DataSpec
from jobs.spec.inputs import NetworkInputs
from jobs.spec.objective import ObjectiveSpec
from jobs.spec.training import TrainSpec


class TransferredFrom(Record):
    """The network that another model's unpruned one becomes by a protocol of kind transfer."""

    model: Name = Field(description="The other model.")
    protocol: Name = Field(description="The protocol, which says network, data, objective and training.")


class ModelSpec(Record):
    """A network and where its weights come from: a checkpoint, training or the transfer of another model."""

    network: Annotated[str, AfterValidator(checks.network)] | None = Field(
        default=None, description="A network of our zoo, `torchvision:NAME`, or your own `package.module:callable`."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the network.")
    inputs: NetworkInputs | None = Field(
        default=None,
        description="What it takes: a list of positional arguments, or a mapping of keyword arguments, each with the "
        "shape and dtype of one sample. Default: as the data set's first sample is.",
    )
    weights: Location | None = Field(default=None, description="URI of a checkpoint (.safetensors, .pt, .pth).")
    prunable: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Dotted names of the parts whose channels may go, such as `[backbone, roi_heads.box_head]`; only "
        "for networks that cannot be traced whole, such as detectors. Channels that cross the border of a part stay.",
    )
    licence: str | None = Field(default=None, description="Licence of the weights, for the cards of exported networks.")
    train: TrainSpec | None = Field(default=None, description="Training settings, where there is no checkpoint.")
    transfer: TransferredFrom | None = Field(
        default=None, description="In the place of all the others: the transfer of another model."
    )
    objective: ObjectiveSpec | None = Field(default=None, description="What it is for, if not the sweep's `objective`.")
    data: DataSpec | None = Field(
        default=None, description="Its data set, if not the sweep's `data`. Without `dataset` it changes some of that."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.transfer is not None:
            given = [
                name
                for name in ("network", "arguments", "inputs", "weights", "train", "objective", "data")
                if getattr(self, name)
            ]
            if given:
                raise checks.fault(f"has `transfer`, whose protocol says everything; remove {', '.join(given)}")
            return self
        if self.network is None:
            raise checks.fault("has no network; give `network`, or `transfer` from another model")
        if self.weights is None and self.train is None:
            raise checks.fault("has no weights; give `weights` (URI of a checkpoint) or a `train` block")
        if self.weights is not None and self.train is not None:
            raise checks.fault("has both `weights` and `train`; keep one of them")
        return self
