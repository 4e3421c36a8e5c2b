"""Metrics of segmentation, from one matrix of counts over all images; pixels of class 255 count nowhere."""

import torch
import torchmetrics
from jaxtyping import Float, Float64, Integer
from torch import Tensor

from jobs.errors import BadInputError
from workers.data.canvas import IGNORED


class _Confusion(torchmetrics.Metric):
    """Counts pixels by class (rows) and predicted class (columns), that of the largest logit; of equal ones the first.

    The logits of a batch are all that it needs memory for.
    """

    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("counts", default=torch.zeros(1, 1, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Float[Tensor, "n num_classes h w"], targets: Integer[Tensor, "n h w"]) -> None:
        """Count a batch."""
        num_classes = logits.shape[1]
        seen = targets != IGNORED
        pairs = targets[seen].long() * num_classes + logits.argmax(1)[seen]
        self.counts = self.counts + torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)

    def known(self) -> Float64[Tensor, "num_classes num_classes"]:
        """The counts.

        Raises:
            BadInputError: There are none.
        """
        if not bool(self.counts.any()):
            raise BadInputError("segmentation: all pixels are ignored (class 255); evaluate on more images")
        return self.counts.double()


class MeanIoU(_Confusion):
    """Mean intersection over union, over the classes that occur in targets or predictions.

    Source: J. Long et al., arXiv:1411.4038, section 5, "mean IU"; VOC's development kit (VOCevalseg.m).
    """

    def compute(self) -> Float64[Tensor, ""]:
        """The mean, in [0, 1]."""
        counts = self.known()
        hits = counts.diagonal()
        union = counts.sum(0) + counts.sum(1) - hits
        return torch.mean(hits[union > 0] / union[union > 0])


class PixelAccuracy(_Confusion):
    """The fraction of pixels whose class is predicted."""

    def compute(self) -> Float64[Tensor, ""]:
        """The fraction, in [0, 1]."""
        counts = self.known()
        return counts.trace() / counts.sum()
