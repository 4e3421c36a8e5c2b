"""Classification: from an image to one logit per class; the largest is the prediction."""

from typing import Any

import torch
import torchmetrics
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_stat_scores

from jobs.errors import BadInputError
from jobs.metric import Metric
from workers.objectives._base import Objective, Reduction


class RightAnswers(torchmetrics.Metric):
    """Top-1 accuracy as a fraction; of equal logits the first counts.

    Counted by torchmetrics and divided here in double precision, since torchmetrics' own accuracy is in single
    precision.
    """

    right: Tensor
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", default=torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("seen", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits: Float[Tensor, "n num_classes"], labels: Int64[Tensor, " n"]) -> None:
        """Count a batch."""
        right, *_, seen = multiclass_stat_scores(
            logits, labels, num_classes=logits.shape[1], average="micro", validate_args=False
        )
        self.right += right
        self.seen += seen

    def compute(self) -> Float[Tensor, ""]:
        """The accuracy, in [0, 1]."""
        return self.right.double() / self.seen


def loss(
    logits: Float[Tensor, "n num_classes"],
    labels: Int64[Tensor, " n"],
    *,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Cross-entropy in nats.

    Args:
        logits: Logits of any precision.
        labels: Classes from 0.
        reduction: Reduction over the samples.
        label_smoothing: Fraction of every label that is spread evenly over the classes.
    """
    return functional.cross_entropy(logits, labels, reduction=reduction, label_smoothing=label_smoothing)


def difference(logits: Float[Tensor, "n num_classes"], wanted: Float[Tensor, "n num_classes"]) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence in nats of the predicted distribution from the wanted one, mean over the samples."""
    predicted, target = logits.log_softmax(1), wanted.log_softmax(1)
    return functional.kl_div(predicted, target, reduction="batchmean", log_target=True)


def check(outputs: Any, labels: Tensor) -> None:
    """Raise BadInputError unless `outputs` are logits (n, num_classes) with a column for every label."""
    if labels.ndim != 1 or labels.is_floating_point():
        raise BadInputError(
            f"the data has targets of type {labels.dtype} and shape {tuple(labels.shape[1:])} for each image; "
            "classification needs one whole number each: the class; or set another `objective`"
        )
    if not isinstance(outputs, Tensor):
        raise BadInputError(
            f"the network returned {type(outputs).__name__}; a classifier must return one tensor of logits"
        )
    if outputs.ndim != 2 or len(outputs) != len(labels):
        raise BadInputError(
            f"the network returned shape {tuple(outputs.shape)} for {len(labels)} images; "
            f"({len(labels)}, num_classes) is needed: is it a classifier?"
        )
    if int(labels.max()) >= outputs.shape[1]:
        raise BadInputError(
            f"the network has {outputs.shape[1]} outputs, but the data has label {int(labels.max())}; "
            "build it with the data set's num_classes"
        )


ACCURACY = Metric(
    name="accuracy", label="accuracy", direction="higher", unit="%", scale=100.0, digits=1, lowest=0.0, highest=1.0
)

OBJECTIVE = Objective(
    name="classification",
    metrics={ACCURACY: RightAnswers},
    loss=loss,
    difference=difference,
    check=check,
    augmentable=True,
)
