"""What an objective is: all that depends on the kind of problem which networks are trained for.

Knows outputs and targets, a batch of them at a time; knows no network, no data set and no stage.
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
"""Over the samples of a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A kind of problem: what is minimised, what is measured, and what a network has to put out for it.

    Attributes:
        name: For messages.
        metrics: What is measured, each with what makes its meter, a `torchmetrics.Metric` that is updated with outputs
            and targets. The first one is the primary metric: epochs, curves and figures are judged by it.
        loss: From outputs, targets and `reduction` to a number: the mean over the samples, or their sum. Its further
            keyword arguments are settings, which only training gives.
        difference: How far a smaller network's outputs are from the whole network's, as a mean over the samples; takes
            them in this order.
        check: Raises BadInputError, in clear words, unless outputs of any type fit the targets.
        augmentable: Whether a target stays true of an image that is cropped, scaled or mirrored. Where not,
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
        """The metric by which a network is judged."""
        return next(iter(self.metrics))

    def total_loss(self, outputs: Tensor, targets: Tensor) -> Float[Tensor, ""]:
        """The loss, summed over the samples, in the precision of the outputs, which fit the targets."""
        exact = targets.to(outputs.dtype) if targets.is_floating_point() else targets
        return self.loss(outputs, exact, reduction="sum")


def over_samples(values: Float[Tensor, "n ..."], reduction: Reduction) -> Float[Tensor, ""]:
    """Losses of single entries as one number: the mean over a sample's entries, then `reduction` over the samples.

    Args:
        values: A loss for every entry of every sample, the samples on the first axis.
        reduction: Over the samples.
    """
    per_sample = values.flatten(1).mean(1) if values.ndim > 1 else values
    return per_sample.mean() if reduction == "mean" else per_sample.sum()


def check_batch(outputs: Any, targets: Tensor) -> None:
    """Refuse what is no tensor with an output for every target.

    Raises:
        BadInputError: It is something else.
    """
    if not isinstance(outputs, Tensor):
        raise BadInputError(f"the network returned {type(outputs).__name__}; it must return one tensor")
    if outputs.ndim < 1 or len(outputs) != len(targets):
        raise BadInputError(
            f"the network returned shape {tuple(outputs.shape)} for {len(targets)} images; "
            "an output for each is needed, on the first axis"
        )
