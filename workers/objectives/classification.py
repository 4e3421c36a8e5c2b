"""Classification: from an image, or what else a network takes, to one logit per class; the largest is the prediction.

Where a network returns more than one tensor, `one_tensor` says which ones are the logits.

A target is a class, or a probability for every class (mixed images, labels of several people); of probabilities the
metrics take the most probable class.
"""

from typing import Any, Literal

import torch
import torchmetrics
from jaxtyping import Float, Float64, Int64, Shaped
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_stat_scores

from jobs.errors import BadInputError
from jobs.metric import Metric
from jobs.spec.augment import TRANSFORMS
from workers.data.augment import crop_flip, flip, of_images, resized_crop_flip
from workers.inputs import call
from workers.objectives._base import Objective, Reduction, one_tensor

NUM_BINS = 15
"""Bins of the calibration error, as many as Guo et al. 2017 have."""

_ROUNDING = 1e-3
"""By how much the probabilities of a target may miss a sum of 1: what half precision leaves of it."""


def classes_of(targets: Shaped[Tensor, "n ..."]) -> Int64[Tensor, " n"]:
    """The class of every target; of equal probabilities the first counts."""
    return targets.argmax(1) if targets.is_floating_point() else targets.long()


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

    def update(self, logits: Float[Tensor, "n num_classes"], targets: Shaped[Tensor, "n ..."]) -> None:
        """Count a batch."""
        right, *_, seen = multiclass_stat_scores(
            logits, classes_of(targets), num_classes=logits.shape[1], average="micro", validate_args=False
        )
        self.right += right
        self.seen += seen

    def compute(self) -> Float64[Tensor, ""]:
        """The accuracy, in [0, 1]."""
        return self.right.double() / self.seen


class FiveAnswers(RightAnswers):
    """Top-5 accuracy as a fraction: the class is among those of the five largest logits.

    With up to five classes it is 1. Of equal logits the first count, which torchmetrics leaves open.
    """

    def update(self, logits: Float[Tensor, "n num_classes"], targets: Shaped[Tensor, "n ..."]) -> None:
        """Count a batch."""
        classes = classes_of(targets).unsqueeze(1)
        own = logits.gather(1, classes)
        earlier = torch.arange(logits.shape[1], device=logits.device) < classes
        ahead = (logits > own) | ((logits == own) & earlier)
        self.right += (ahead.sum(1) < 5).sum()
        self.seen += len(logits)


class MacroF1(torchmetrics.Metric):
    """The mean over the classes of F1, the harmonic mean of precision and recall.

    Classes that are neither wanted nor predicted are left out. Counted by torchmetrics and divided here in double
    precision, as accuracy is.
    """

    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("counts", default=torch.zeros(1, 5, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Float[Tensor, "n num_classes"], targets: Shaped[Tensor, "n ..."]) -> None:
        """Count a batch."""
        self.counts = self.counts + multiclass_stat_scores(
            logits, classes_of(targets), num_classes=logits.shape[1], average="none", validate_args=False
        )

    def compute(self) -> Float64[Tensor, ""]:
        """The mean, in [0, 1]."""
        hits, false_alarms, _, misses, _ = self.counts.double().T
        total = 2 * hits + false_alarms + misses
        found = total > 0
        return torch.mean(2 * hits[found] / total[found])


class CalibrationError(torchmetrics.Metric):
    """Expected calibration error (Guo et al. 2017, arXiv:1706.04599, section 2 and equation 3).

    Predictions are put into bins of equal width by their confidence, the largest probability; the error is the mean
    over the predictions of the difference between their bin's accuracy and its mean confidence. A bin includes its
    upper end. (torchmetrics' own keeps all confidences, in single precision, and takes logits that lie in [0, 1] for
    probabilities.)
    """

    bins: Tensor
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("bins", default=torch.zeros(NUM_BINS, 2, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("seen", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits: Float[Tensor, "n num_classes"], targets: Shaped[Tensor, "n ..."]) -> None:
        """Sum up confidences and right answers of a batch, bin by bin."""
        confidence, right = logits.double().softmax(1).amax(1), logits.argmax(1) == classes_of(targets)
        number = ((confidence * NUM_BINS).ceil().long() - 1).clamp(0, NUM_BINS - 1)
        # As a product, since sums by index come out in any order on a GPU.
        self.bins += functional.one_hot(number, NUM_BINS).double().T @ torch.stack([right.double(), confidence], 1)
        self.seen += len(logits)

    def compute(self) -> Float64[Tensor, ""]:
        """The error, in [0, 1]."""
        right, confidence = self.bins.T
        return torch.sum((right - confidence).abs()) / self.seen


def loss(
    outputs: Any,
    targets: Shaped[Tensor, "n ..."],
    *,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Cross-entropy in nats.

    Args:
        outputs: A network's outputs, of any precision.
        targets: Classes from 0, or a probability for every class.
        reduction: Reduction over the samples.
        label_smoothing: Fraction of every target that is spread evenly over the classes.
    """
    logits = one_tensor(outputs)
    exact = targets.to(logits.dtype) if targets.is_floating_point() else targets
    return functional.cross_entropy(logits, exact, reduction=reduction, label_smoothing=label_smoothing)


def difference(outputs: Any, wanted: Any, *, temperature: float = 1.0) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence in nats of the predicted distribution from the wanted one, mean over the samples.

    Args:
        outputs: A network's outputs.
        wanted: The whole network's.
        temperature: Logits are divided by it, and the divergence is multiplied by its square (Hinton et al. 2015,
            arXiv:1503.02531, section 2).
    """
    predicted, target = ((one_tensor(each) / temperature).log_softmax(1) for each in (outputs, wanted))
    return temperature**2 * functional.kl_div(predicted, target, reduction="batchmean", log_target=True)


def check(outputs: Any, targets: Tensor) -> None:
    """Raise BadInputError unless `outputs` are logits (n, num_classes) that fit the targets, which are checked, too."""
    soft = targets.is_floating_point()
    if targets.ndim != (2 if soft else 1) or targets.dtype is torch.bool:
        remedy = {
            (False, 1): ": targets.long()",
            (True, 1): ": targets.long(), if they are classes",
            (False, 2): ": targets.argmax(1), if they are one-hot",
        }
        raise BadInputError(
            f"the data has targets of type {targets.dtype} and shape {tuple(targets.shape[1:])} for each image; "
            "classification needs one whole number each, the class, or a fraction for every class, its "
            f"probability{remedy.get((soft, targets.ndim), '')}; or set another `objective`"
        )
    outputs = one_tensor(outputs)
    if outputs.ndim != 2 or len(outputs) != len(targets):
        raise BadInputError(
            f"the network returned shape {tuple(outputs.shape)} for {len(targets)} images; "
            f"({len(targets)}, num_classes) is needed: is it a classifier?"
        )
    if soft:
        _check_probabilities(targets, outputs.shape[1])
    else:
        _check_labels(targets, outputs.shape[1])


def _check_labels(labels: Tensor, num_outputs: int) -> None:
    lowest, highest = torch.stack(labels.aminmax()).tolist()
    if lowest < 0:
        raise BadInputError(f"the data has label {lowest}; classes are numbered from 0")
    if highest >= num_outputs:
        raise BadInputError(
            f"the network has {num_outputs} outputs, but the data has label {highest}; "
            "build it with the data set's num_classes"
        )


def _check_probabilities(targets: Tensor, num_outputs: int) -> None:
    if targets.shape[1] != num_outputs:
        raise BadInputError(
            f"the network has {num_outputs} outputs, but the data has probabilities of {targets.shape[1]} classes; "
            "build it with the data set's num_classes"
        )
    if not bool((targets >= 0).all()):
        raise BadInputError(f"the data has a probability of {float(targets.min()):g}; give none below 0")
    sums = targets.double().sum(1)
    worst = float(sums[(sums - 1).abs().argmax()])
    if abs(worst - 1) > _ROUNDING:
        raise BadInputError(f"the data has probabilities that sum to {worst:g}; divide those of an image by their sum")


def _percentage(name: str, label: str, direction: Literal["higher", "lower"]) -> Metric:
    return Metric(name=name, label=label, direction=direction, unit="%", scale=100.0, digits=1, lowest=0.0, highest=1.0)


def objective() -> Objective:
    """Classification."""
    return Objective(
        name="classification",
        metrics={
            _percentage("accuracy", "accuracy", "higher"): RightAnswers,
            _percentage("top5", "top-5 accuracy", "higher"): FiveAnswers,
            _percentage("f1", "F1", "higher"): MacroF1,
            _percentage("calibration_error", "calibration error", "lower"): CalibrationError,
        },
        loss=loss,
        difference=difference,
        check=check,
        predict=lambda module, inputs: one_tensor(call(module, inputs)),
        augmentations={
            name: of_images(change)
            for name, change in {"crop-flip": crop_flip, "flip": flip, "resized-crop-flip": resized_crop_flip}.items()
        },
        transforms=TRANSFORMS,
    )
