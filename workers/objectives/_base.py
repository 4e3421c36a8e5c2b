"""The interface of objectives: everything that depends on the problem that networks are trained for.

Objectives work on batches of outputs and targets.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from jobs.errors import BadInputError, nearest
from jobs.metric import Metric
from jobs.spec.augment import Augment
from workers.data.augment import Augmentation
from workers.data.images import ImageData
from workers.data.pipeline import Pipeline
from workers.inputs import Inputs, call, tensors_of
from workers.nested import map_tensors

if TYPE_CHECKING:
    import torchmetrics

Reduction: TypeAlias = Literal["mean", "sum"]
"""Reduction of a loss over the samples of a batch."""

PLACES = ("logits", "out")
"""Where mappings and records have the tensor that is compared with targets."""


def _plain_prediction(module: nn.Module, inputs: Inputs) -> Any:
    return call(module, inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A problem that networks are trained for: loss, metrics, and the form of the outputs.

    Outputs are what a network returns: one tensor, or a tuple, list, mapping or dataclass of them. Inputs are images,
    or what else a network takes (`workers.inputs`).

    Attributes:
        name: Name for messages.
        metrics: The metrics, each with a factory of a `torchmetrics.Metric` that is updated with outputs and targets.
            The first one is the primary metric, which selects epochs and is shown in curves and figures.
        loss: From outputs, targets and `reduction` to a number: the mean over the samples, or their sum. Its further
            keyword arguments are settings, which only training gives. Outputs may be those of a network in training.
        difference: Distance of a smaller network's outputs from the whole network's, as a mean over the samples; takes
            them in this order. Where outputs are logits it has a keyword argument `temperature`, which distillation
            may give.
        check: Raises BadInputError, in clear words, unless outputs of any type fit the targets.
        augmentations: The augmentations that move images and targets together, by name. Training refuses others.
        transforms: The transforms of torchvision (`jobs.spec.augment.TRANSFORMS`) that keep the targets true.
        predict: From a network in evaluation mode and inputs to the outputs that are evaluated. Default: what the
            network returns for them.
        pseudo_targets: In the place of `difference`, for networks that compute their losses themselves, as detectors
            do: these are called with inputs and targets where a loss is asked for, and `loss` gets what they return.
            From the outputs of a whole network to targets, by whose loss a smaller one is compared with it.

    Raises:
        BadInputError: There is no metric, or two have the same name; or there is neither a `difference` nor
            `pseudo_targets`, or there are both.
    """

    name: str
    metrics: Mapping[Metric, "Callable[[], torchmetrics.Metric]"]
    loss: Callable[..., Float[Tensor, ""]]
    difference: Callable[..., Float[Tensor, ""]] | None = None
    check: Callable[[Any, Tensor], None]
    augmentations: Mapping[str, Augmentation] = field(default_factory=dict)
    transforms: Collection[str] = ()
    predict: Callable[[nn.Module, Inputs], Any] = _plain_prediction
    pseudo_targets: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        names = [each.name for each in self.metrics]
        if not names or len(set(names)) < len(names):
            raise BadInputError(f"objective '{self.name}': its metrics are {names}; give at least one, each name once")
        if (self.difference is None) is (self.pseudo_targets is None):
            raise BadInputError(
                f"objective '{self.name}': give `difference`, or `pseudo_targets` where networks compute their losses "
                "themselves, and not both"
            )

    @property
    def primary(self) -> Metric:
        """The primary metric, the first one."""
        return next(iter(self.metrics))

    @property
    def computes_its_loss(self) -> bool:
        """Whether the networks compute their losses themselves, from inputs and targets."""
        return self.pseudo_targets is not None

    def inputs(self, inputs: Inputs, targets: Shaped[Tensor, "n ..."]) -> Inputs:
        """What a network is called with where a loss is asked for.

        Raises:
            BadInputError: It wants targets, too, and takes its inputs by name.
        """
        if not self.computes_its_loss:
            return inputs if isinstance(inputs, Mapping) else tensors_of(inputs)
        if isinstance(inputs, Mapping):
            raise BadInputError(
                f"objective '{self.name}': networks are called with inputs and targets, and the data gives inputs by "
                f"name ({', '.join(inputs)}); give a tuple of positional arguments"
            )
        return (*tensors_of(inputs), targets)

    def distance(self, smaller: Callable[..., Any], inputs: Inputs, wanted: Any) -> Float[Tensor, ""]:
        """How far a smaller network is from the whole one on a batch, without its targets; a mean over the samples.

        Args:
            smaller: The network, or what is called like it.
            inputs: The batch.
            wanted: The whole network's outputs for them.

        Raises:
            BadInputError: The outputs do not fit.
        """
        if self.difference is not None:
            return self.difference(call(smaller, inputs), wanted)
        assert self.pseudo_targets is not None  # there is one of the two
        targets = self.pseudo_targets(wanted)
        outputs = call(smaller, self.inputs(inputs, targets))
        self.check(outputs, targets)
        return self.loss(outputs, targets)

    def total_loss(
        self, outputs: Any, targets: Shaped[Tensor, "n ..."], dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, ""]:
        """The loss, summed over the samples, in a precision.

        Args:
            outputs: What a network returned for `inputs`, which fits the targets.
            targets: The targets.
            dtype: The precision.
        """
        exact = targets.to(dtype) if targets.is_floating_point() else targets
        precise = map_tensors(lambda each: each.to(dtype) if each.is_floating_point() else each, outputs)
        return self.loss(precise, exact, reduction="sum")

    def pipeline(self, augment: Augment, data: ImageData) -> Pipeline:
        """What a setting of the sweep file does to the images of a data set.

        Raises:
            BadInputError: One of its augmentations is none of the objective's, or does not suit the data.
        """
        return Pipeline.of(
            augment,
            data,
            named=self.augmentation,
            transforms=self.transforms,
            where=f"objective '{self.name}'",
        )

    def augmentation(self, name: str) -> Augmentation:
        """The augmentation of that name, which is not `none`.

        Raises:
            BadInputError: There is none.
        """
        if name not in self.augmentations:
            known = ("none", *self.augmentations)
            raise BadInputError(
                f"objective '{self.name}': augment: {name} is none of its augmentations, which keep targets true; "
                f"{nearest(name, known)}"
            )
        return self.augmentations[name]


def one_tensor(outputs: Any) -> Tensor:
    """The tensor among a network's outputs that is compared with targets.

    It is `logits`, or else `out`, of a mapping or of a record with such an attribute, and the first tensor of any other
    tuple or list.

    Raises:
        BadInputError: There is none; the text names what was found.
    """
    if isinstance(outputs, Tensor):
        return outputs
    for name in PLACES:
        found = outputs.get(name) if isinstance(outputs, Mapping) else getattr(outputs, name, None)
        if isinstance(found, Tensor):
            return found
    first = next(iter(outputs), None) if isinstance(outputs, tuple | list) else None
    if isinstance(first, Tensor):
        return first
    raise BadInputError(
        f"the network returned {_words(outputs)}; return one tensor, a tuple or list that begins with it, or a mapping "
        f"or dataclass that has it as {' or '.join(map(repr, PLACES))}"
    )


def _words(outputs: Any) -> str:
    """Outputs for an error: their class, and the names that they have."""
    if is_dataclass(outputs):
        names = [each.name for each in fields(outputs)]
    else:
        names = list(map(str, outputs)) if isinstance(outputs, Mapping) else []
    return " of ".join([type(outputs).__name__, *([", ".join(names)] if names else [])])


def over_samples(values: Float[Tensor, "n ..."], reduction: Reduction) -> Float[Tensor, ""]:
    """Reduce losses of entries to one number: the mean over a sample's entries, then `reduction` over the samples.

    Args:
        values: A loss for every entry of every sample, the samples on the first axis.
        reduction: Reduction over the samples.
    """
    per_sample = values.flatten(1).mean(1) if values.ndim > 1 else values
    return per_sample.mean() if reduction == "mean" else per_sample.sum()


def check_batch(outputs: Any, targets: Tensor) -> None:
    """Check that outputs are one tensor with an entry for every target.

    Raises:
        BadInputError: They are not.
    """
    if not isinstance(outputs, Tensor):
        raise BadInputError(f"the network returned {type(outputs).__name__}; it must return one tensor")
    if outputs.ndim < 1 or len(outputs) != len(targets):
        raise BadInputError(
            f"the network returned shape {tuple(outputs.shape)} for {len(targets)} images; "
            "an output for each is needed, on the first axis"
        )
