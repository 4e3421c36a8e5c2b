"""Segmentation: from an image to one logit per class for every pixel; the largest is the prediction.

A target is a map of classes from 0; pixels of class 255 are ignored. A network returns one tensor of logits. In
training it may return a mapping: `out`, and `aux`, the logits of an auxiliary classifier at an earlier layer.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from jobs.errors import BadInputError
from jobs.metric import Metric
from workers.data.canvas import IGNORED
from workers.data.joint import flip_with_masks, scale_crop_flip
from workers.inputs import Inputs, call
from workers.objectives._base import Objective, Reduction, one_tensor, over_samples
from workers.objectives._segmentation_metrics import MeanIoU, PixelAccuracy

_OUTPUTS = ("out", "aux")


def loss(
    outputs: Any, masks: Int64[Tensor, "n h w"], *, reduction: Reduction = "mean", auxiliary_weight: float
) -> Float[Tensor, ""]:
    """Cross-entropy in nats: the mean over a sample's pixels that are not ignored, 0 where there are none.

    Args:
        outputs: Logits (n, num_classes, h, w) of any precision, or a mapping of such.
        masks: Classes from 0; 255 is ignored.
        reduction: Reduction over the samples.
        auxiliary_weight: Factor of the loss of the logits `aux`, which is added.
    """
    if isinstance(outputs, Mapping):
        total = loss(outputs["out"], masks, reduction=reduction, auxiliary_weight=auxiliary_weight)
        if "aux" in outputs:
            auxiliary = loss(outputs["aux"], masks, reduction=reduction, auxiliary_weight=auxiliary_weight)
            total = total + auxiliary_weight * auxiliary
        return total
    per_pixel = functional.cross_entropy(outputs, masks, ignore_index=IGNORED, reduction="none")
    counted = (masks != IGNORED).flatten(1).sum(1)
    return over_samples(per_pixel.flatten(1).sum(1) / counted.clamp_min(1), reduction)


def difference(outputs: Any, wanted: Any, *, temperature: float = 1.0) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence in nats of the predicted distribution of a pixel's class from the wanted one.

    The mean over all pixels of a sample, ignored or not, and over the samples.

    Args:
        outputs: Logits, or a mapping that has them as `out`; auxiliary ones are left out.
        wanted: The whole network's.
        temperature: As of `workers.objectives.classification.difference`.
    """
    predicted, target = ((one_tensor(each) / temperature).log_softmax(1) for each in (outputs, wanted))
    divergence = functional.kl_div(predicted, target, reduction="none", log_target=True).sum(1)
    return temperature**2 * over_samples(divergence, "mean")


def check(outputs: Any, masks: Tensor) -> None:
    """Raise BadInputError unless `outputs` are logits that fit the masks, which are checked, too."""
    if masks.ndim != 3 or masks.is_floating_point() or masks.dtype is torch.bool:
        raise BadInputError(
            f"the data has targets of type {masks.dtype} and shape {tuple(masks.shape[1:])} for each image; "
            "segmentation needs a map (height, width) of whole numbers, the classes; or set another `objective`"
        )
    if isinstance(outputs, Mapping):
        if "out" not in outputs or not set(outputs) <= set(_OUTPUTS):
            raise BadInputError(
                f"the network returned {', '.join(map(str, outputs)) or 'nothing'} by name; "
                "'out' is needed, and in training 'aux' may stand beside it"
            )
        for name, logits in outputs.items():
            _check_logits(logits, masks, f" as '{name}'")
    else:
        _check_logits(outputs, masks, "")


def _check_logits(logits: Any, masks: Tensor, where: str) -> None:
    if not isinstance(logits, Tensor):
        raise BadInputError(
            f"the network returned {type(logits).__name__}{where}; "
            "for segmentation it must return one tensor of logits, or a mapping with 'out' and 'aux' in training"
        )
    (n, *size), found = masks.shape, f"the network returned shape {tuple(logits.shape)}{where}"
    if logits.ndim != 4 or len(logits) != n:
        raise BadInputError(
            f"{found} for {n} images; ({n}, num_classes, height, width) is needed: is it for segmentation?"
        )
    if [*logits.shape[2:]] != size:
        raise BadInputError(
            f"{found}, but the masks have {size[0]} x {size[1]} pixels; the network must return logits for every "
            "pixel of its input, enlarged where they are coarser, and masks must be as large as their images"
        )
    _check_classes(masks, logits.shape[1])


def _check_classes(masks: Tensor, num_outputs: int) -> None:
    if num_outputs > IGNORED:
        raise BadInputError(
            f"the network has logits of {num_outputs} classes; {IGNORED} at most, since class {IGNORED} is ignored"
        )
    lowest, highest = torch.stack(masks.where(masks != IGNORED, 0).aminmax()).tolist()
    if lowest < 0:
        raise BadInputError(f"the data has class {lowest}; classes are numbered from 0, and {IGNORED} is ignored")
    if highest >= num_outputs:
        raise BadInputError(
            f"the network has logits of {num_outputs} classes, but the data has class {highest}; build it with the "
            f"data set's num_classes, the background included; class {IGNORED} is ignored"
        )


def predict(module: nn.Module, inputs: Inputs) -> Any:
    """The outputs of a network in evaluation mode.

    Raises:
        BadInputError: It returns a mapping there, too.
    """
    outputs = call(module, inputs)
    if isinstance(outputs, Mapping):
        raise BadInputError(
            f"the network returned {', '.join(map(str, outputs))} by name in evaluation; it must return one tensor of "
            "logits there, and a mapping only in training (`self.training`); `torchvision:NAME` does so"
        )
    return outputs


def _percentage(name: str, label: str) -> Metric:
    return Metric(name=name, label=label, direction="higher", unit="%", scale=100.0, digits=1, lowest=0.0, highest=1.0)


def objective(*, auxiliary_weight: float) -> Objective:
    """Segmentation.

    Args:
        auxiliary_weight: Weight of the loss of an auxiliary output, in training.
    """
    return Objective(
        name="segmentation",
        metrics={_percentage("miou", "mIoU"): MeanIoU, _percentage("pixel_accuracy", "pixel accuracy"): PixelAccuracy},
        loss=partial(loss, auxiliary_weight=auxiliary_weight),
        difference=difference,
        check=check,
        augmentations={"flip": flip_with_masks, "scale-crop-flip": scale_crop_flip},
        predict=predict,
    )
