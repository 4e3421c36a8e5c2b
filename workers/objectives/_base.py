"""The interface of objectives: everything that depends on the problem that networks are trained for.

Objectives work on batches of outputs and targets.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from jobs.errors import BadInputError, nearest
from jobs.metric import Metric
from workers.data.augment import Augmentation

if TYPE_CHECKING:
    import torchmetrics

Reduction: TypeAlias = Literal["mean", "sum"]
"""Reduction of a loss over the samples of a batch."""


def _plain_prediction(module: nn.Module, images: Float[Tensor, "n c h w"]) -> Any:
    return module(images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A problem that networks are trained for: loss, metrics, and the form of the outputs.

    Attributes:
        name: Name for messages.
        metrics: The metrics, each with a factory of a `torchmetrics.Metric` that is updated with outputs and targets.
            The first one is the primary metric, which selects epochs and is shown in curves and figures.
        loss: From outputs, targets and `reduction` to a number: the mean over the samples, or their sum. Its further
            keyword arguments are settings, which only training gives. Outputs may be those of a network in training.
        difference: Distance of a smaller network's outputs from the whole network's, as a mean over the samples; takes
            them in this order.
        check: Raises BadInputError, in clear words, unless outputs of any type fit the targets.
        augmentations: The augmentations that move images and targets together, by name. Training refuses others.
        predict: From a network in evaluation mode and images to the outputs that are evaluated. Default: what the
            network returns for them.
        pseudo_targets: In the place of `difference`, for networks that compute their losses themselves, as detectors
            do: these are called with images and targets where a loss is asked for, and `loss` gets what they return.
            From the outputs of a whole network to targets, by whose loss a smaller one is compared with it.

    Raises:
        BadInputError: There is no metric, or two have the same name; or there is neither a `difference` nor
            `pseudo_targets`, or there are both.
    """

    name: str
    metrics: Mapping[Metric, "Callable[[], torchmetrics.Metric]"]
    loss: Callable[..., Float[Tensor, ""]]
    difference: Callable[[Tensor, Tensor], Float[Tensor, ""]] | None = None
    check: Callable[[Any, Tensor], None]
    augmentations: Mapping[str, Augmentation] = field(default_factory=dict)
    predict: Callable[[nn.Module, Tensor], Any] = _plain_prediction
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
        """Whether the networks compute their losses themselves, from images and targets."""
        return self.pseudo_targets is not None

    def inputs(self, images: Float[Tensor, "n c h w"], targets: Shaped[Tensor, "n ..."]) -> tuple[Tensor, ...]:
        """What a network is called with where a loss is asked for."""
        return (images, targets) if self.computes_its_loss else (images,)

    def distance(
        self, smaller: Callable[..., Any], images: Float[Tensor, "n c h w"], wanted: Tensor
    ) -> Float[Tensor, ""]:
        """How far a smaller network is from the whole one on images, without their targets; a mean over the images.

        Args:
            smaller: The network, or what is called like it.
            images: The images.
            wanted: The whole network's outputs for them.

        Raises:
            BadInputError: The outputs do not fit.
        """
        if self.difference is not None:
            return self.difference(smaller(images), wanted)
        assert self.pseudo_targets is not None  # there is one of the two
        targets = self.pseudo_targets(wanted)
        outputs = smaller(*self.inputs(images, targets))
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
        return self.loss(_in_precision(outputs, dtype), exact, reduction="sum")

    def augmentation(self, name: str) -> Augmentation:
        """The augmentation of that name; `none` leaves everything as it is.

        Raises:
            BadInputError: There is none.
        """
        if name == "none":
            return _unchanged
        if name not in self.augmentations:
            known = ("none", *self.augmentations)
            raise BadInputError(
                f"objective '{self.name}': augment: {name} is none of its augmentations, which keep targets true; "
                f"{nearest(name, known)}"
            )
        return self.augmentations[name]


def _unchanged(images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draws nothing from the generator."""
    del generator
    return images, targets


def _in_precision(outputs: Any, dtype: torch.dtype) -> Any:
    """Outputs with their floating-point tensors in a precision: one tensor, or a mapping of several."""
    if isinstance(outputs, Mapping):
        return {name: _in_precision(each, dtype) for name, each in outputs.items()}
    return outputs.to(dtype) if isinstance(outputs, Tensor) and outputs.is_floating_point() else outputs


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
