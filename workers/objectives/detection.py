"""Detection: from an image to boxes with classes, by networks that compute their losses themselves.

A target is x1, y1, x2, y2 in pixels, label, difficult or crowd for each object; label 0 is padding. A network returns
detections (n, d, 6), x1, y1, x2, y2, score, label, padded likewise; called with targets, too, its losses by name.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from jobs.errors import BadInputError
from jobs.metric import Metric
from workers.data.joint import flip_with_boxes
from workers.objectives._base import Objective, Reduction
from workers.objectives._detection_metrics import VOC_THRESHOLD, CocoPrecision, VocArea, VocElevenPoints

SURE = 0.5
"""Score from which a dense network's detection is a target for a smaller one."""

_COLUMNS = 6
_SCORE, _OUTPUT_LABEL = 4, 5
_TARGET_LABEL = 4


def loss(
    losses: Mapping[str, Float[Tensor, ""]], targets: Float[Tensor, "n m 6"], *, reduction: Reduction = "mean"
) -> Float[Tensor, ""]:
    """The sum of a network's losses.

    Args:
        losses: Each a mean over the batch.
        targets: The targets that they are of; only counted.
        reduction: `sum`: times the number of images.
    """
    total = torch.stack(list(losses.values())).sum()
    return total if reduction == "mean" else total * len(targets)


def pseudo_targets(outputs: Float[Tensor, "n d 6"]) -> Float[Tensor, "n d 6"]:
    """A network's sure detections as targets: those with a score from 0.5 and an area; the others become padding."""
    corners, score, label = outputs[..., :4], outputs[..., _SCORE], outputs[..., _OUTPUT_LABEL]
    sure = (score >= SURE) & (corners[..., 2:] > corners[..., :2]).all(-1)
    return torch.cat([corners, label[..., None], torch.zeros_like(label)[..., None]], -1) * sure[..., None]


def check(outputs: Any, targets: Tensor) -> None:
    """Raise BadInputError unless `outputs` are detections, or losses by name, and fit the targets."""
    if targets.ndim != 3 or targets.shape[2] != _COLUMNS or not targets.is_floating_point():
        raise BadInputError(
            f"the data has targets of type {targets.dtype} and shape {tuple(targets.shape[1:])} for each image; "
            f"detection needs boxes (max_boxes, {_COLUMNS}): x1, y1, x2, y2, label, difficult; or set another "
            "`objective`"
        )
    lowest = float(targets[..., _TARGET_LABEL].nan_to_num().min()) if targets.numel() else 0.0
    if lowest < 0:
        raise BadInputError(f"the data has label {lowest:g}; classes are numbered from 1, and 0 is no box")
    if isinstance(outputs, Mapping):
        _check_losses(outputs)
    else:
        _check_detections(outputs, len(targets))


def _check_losses(losses: Mapping[Any, Any]) -> None:
    wrong = [name for name, each in losses.items() if not isinstance(each, Tensor) or each.numel() != 1]
    if wrong or not losses:
        raise BadInputError(
            f"the network returned {', '.join(map(str, wrong)) or 'nothing'} by name; called with images and targets, "
            "it must return its losses, one number each"
        )


def _check_detections(outputs: Any, num_images: int) -> None:
    if not isinstance(outputs, Tensor):
        raise BadInputError(
            f"the network returned {type(outputs).__name__}; a detector must return one tensor of boxes for images, "
            "and a mapping of losses for images and targets, as `torchvision:fasterrcnn_resnet50_fpn` does"
        )
    if outputs.ndim != 3 or len(outputs) != num_images or outputs.shape[2] != _COLUMNS:
        raise BadInputError(
            f"the network returned shape {tuple(outputs.shape)} for {num_images} images; ({num_images}, detections, "
            f"{_COLUMNS}) is needed, x1, y1, x2, y2, score, label: is it a detector?"
        )
    labels = outputs[..., _OUTPUT_LABEL]
    if bool(((labels < 0) | (labels != labels.round())).any()):
        raise BadInputError(
            "the network returned labels that are no whole numbers from 0; the last column is the label, 0 for padding"
        )


def _precision(name: str, label: str) -> Metric:
    return Metric(name=name, label=label, direction="higher", unit="%", scale=100.0, digits=1, lowest=0.0, highest=1.0)


def objective() -> Objective:
    """Detection."""
    return Objective(
        name="detection",
        metrics={
            _precision("map50", "mAP@0.5"): partial(CocoPrecision, (VOC_THRESHOLD,)),
            _precision("map", "mAP@0.5:0.95"): CocoPrecision,
            _precision("voc_map", "VOC mAP"): VocArea,
            _precision("voc_map_2007", "VOC 2007 mAP"): VocElevenPoints,
        },
        loss=loss,
        check=check,
        augmentations={"flip": flip_with_boxes},
        pseudo_targets=pseudo_targets,
    )
