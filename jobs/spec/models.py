"""Networks, and where their weights come from."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from jobs import checks
from jobs.libraries import is_own, library_of
from jobs.spec.base import Name, Record, Weights
from jobs.spec.data import DataSpec
from jobs.spec.distillation import MISPLACED
from jobs.spec.inputs import NetworkInputs
from jobs.spec.objective import ObjectiveSpec
from jobs.spec.prune import PruneSpec
from jobs.spec.training import TrainSpec
from jobs.weights import OWN, CheckpointReading, is_file, is_hub, is_pretrained, set_of


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Label = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]


class TransferredFrom(Record):
    """The network that another model's unpruned one becomes by a protocol of kind transfer."""

    model: Name = Field(description="The other model.")
    protocol: Name = Field(description="The protocol, which says network, data, objective and training.")


class ModelSpec(Record):
    """A network and where its weights come from: published ones, a checkpoint, training, the transfer of another."""

    network: Annotated[str, AfterValidator(checks.network)] | None = Field(
        default=None,
        description="A network of our zoo, one of a library (`torchvision:NAME`, `timm:NAME`, `transformers:NAME`, a "
        "class or a model type), or your own `package.module:callable`.",
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the network.")
    inputs: NetworkInputs | None = Field(
        default=None,
        description="What it takes: a list of positional arguments, or a mapping of keyword arguments, each with the "
        "shape and dtype of one sample. Default: as the data set's first sample is.",
    )
    weights: Weights | None = Field(
        default=None,
        description="URI of a checkpoint (.safetensors, .pt, .pth, .ckpt, .bin), a repository of the Hugging Face hub "
        "(`hf://ORG/NAME[@REVISION][/FILE]`), `pretrained` or `pretrained:SET` for those of the network's library, "
        "`own` where your own callable loads them. With `train` it starts from them.",
    )
    weights_key: str | None = Field(
        default=None,
        min_length=1,
        description="Where in the checkpoint the tensors are, such as `ema` or `ckpt.model`; default: found by their "
        "names.",
    )
    strip_prefix: str | None = Field(
        default=None,
        min_length=1,
        description="What the names of the checkpoint's tensors begin with and the network's do not, such as "
        "`model.`; tensors without it are left aside. Default: found by their names.",
    )
    replace_head: bool = Field(
        default=False,
        description="Layers that the weights have for another number of classes get fresh weights.",
    )
    prunable: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Dotted names of the parts whose channels may go, such as `[backbone, roi_heads.box_head]`; only "
        "for networks that cannot be traced whole, such as detectors. Channels that cross the border of a part stay.",
    )
    prune: PruneSpec | None = Field(
        default=None, description="What may be cut of it, where it is not as the sweep's `prune` says."
    )
    labels: dict[Name, Label] = Field(
        default_factory=dict,
        exclude_if=lambda value: not value,
        description="What it is one of many by, for reports and MLflow: `{optimiser: adam, learning_rate: 0.001}`.",
    )
    licence: str | None = Field(default=None, description="Licence of the weights, for the cards of exported networks.")
    train: TrainSpec | None = Field(
        default=None, description="Training settings: from random weights, or from `weights`."
    )
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
                for name in (
                    "network",
                    "arguments",
                    "inputs",
                    "weights",
                    "weights_key",
                    "strip_prefix",
                    "replace_head",
                    "train",
                    "objective",
                    "data",
                )
                if getattr(self, name)
            ]
            if given:
                raise checks.fault(f"has `transfer`, whose protocol says everything; remove {', '.join(given)}")
            return self
        if self.network is None:
            raise checks.fault("has no network; give `network`, or `transfer` from another model")
        if self.weights is None and self.train is None:
            raise checks.fault("has no weights; give `weights` (URI of a checkpoint) or a `train` block")
        if conflict := _conflict(self.weights, self.network):
            raise checks.fault(conflict)
        return self

    @model_validator(mode="after")
    def _teachers_come_first(self) -> Self:
        if self.train is not None and self.train.distill is not None:
            raise checks.fault(f"train: {MISPLACED}")
        return self

    @model_validator(mode="after")
    def _reading_has_something_to_read(self) -> Self:
        layout = [name for name in ("weights_key", "strip_prefix") if getattr(self, name) is not None]
        if layout and (self.weights is None or not (is_file(self.weights) or is_hub(self.weights))):
            raise checks.fault(f"has {', '.join(layout)}, but no `weights` that are a file; remove it")
        if self.replace_head and self.weights in (None, OWN):
            raise checks.fault("has `replace_head`, but no `weights` whose head could be replaced; remove it")
        return self

    @property
    def reading(self) -> CheckpointReading | None:
        """How the checkpoint is read; None where the file says nothing of it."""
        if self.weights_key is None and self.strip_prefix is None and not self.replace_head:
            return None
        return CheckpointReading(key=self.weights_key, prefix=self.strip_prefix, replace_head=self.replace_head or None)


def _conflict(weights: str | None, network: str) -> str | None:
    """Why a network cannot have such weights, and what to do; None where it can, or where it has none."""
    library = library_of(network)
    if weights == OWN and not is_own(network):
        return f"has `weights: {OWN}`, which is for your own package.module:callable; '{network}' loads none itself"
    if weights is None or not is_pretrained(weights):
        return None
    if library is None:
        return f"has `weights: {weights}`, and '{network}' has none that a library publishes; give the URI of a file"
    if library == "transformers":
        return f"has `weights: {weights}`; name a repository of the hub, weights: hf://ORG/NAME"
    if library == "timm" and set_of(weights):
        return f"has `weights: {weights}`; timm's sets are part of the name: network: {network}.{set_of(weights)}"
    return None
