"""The interface of objectives: everything that depends on the problem that networks are trained for.

Objectives work on batches of outputs and targets.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from jaxtyping import Float
from torch import Tensor

from jobs.errors import BadInputError
from jobs.metric import Metric

if TYPE_CHECKING:
    import torchmetrics

Reduction: TypeAlias = Literal["mean", "sum"]
"""Reduction of a loss over the samples of a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A problem that networks are trained for: loss, metrics, and the form of the outputs.

    Attributes:
        name: Name for messages.
        metrics: The metrics, each with a factory of a `torchmetrics.Metric` that is updated with outputs and targets.
            The first one is the primary metric, which selects epochs and is shown in curves and figures.
        loss: From outputs, targets and `reduction` to a number: the mean over the samples, or their sum. Its further
            keyword arguments are settings, which only training gives.
        difference: Distance of a smaller network's outputs from the whole network's, as a mean over the samples; takes
            them in this order.
        check: Raises BadInputError, in clear words, unless outputs of any type fit the targets.
        augmentable: Whether a target stays valid when its image is cropped, scaled or mirrored. Where not,
            training refuses augmentations, which change images alone.

    Raises:
        BadInputError: There is no metric, or two have the same name.
    """

    name: str
    metrics: Mapping[Metric, "Callable[[], torchmetrics.Metric]"]
    loss: Callable[..., Float[Tensor, ""]]
    difference: Callable[[Tensor, Tensor], Float[Tensor, ""]]
    check: Callable[[Any, Tensor], None]
    augmentable: bool = False

    def __post_init__(self) -> None:
        names = [each.name for each in self.metrics]
        if not names or len(set(names)) < len(names):
            raise BadInputError(f"objective '{self.name}': its metrics are {names}; give at least one, each name once")

    @property
    def primary(self) -> Metric:
        """The primary metric, the first one."""
        return next(iter(self.metrics))

    def total_loss(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, ""]:
        """The loss, summed over the samples, in the precision of the outputs, which fit the targets."""
        exact = targets.to(outputs.dtype) if targets.is_floating_point() else targets
        return self.loss(outputs, exact, reduction="sum")


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
