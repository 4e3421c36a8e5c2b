"""torchvision's networks for segmentation, with its names of tensors, so that its checkpoints load.

torchvision's own return a mapping at all times. These return one tensor of logits in evaluation; in training, with an
auxiliary classifier, a mapping of `out` and `aux`. In evaluation the auxiliary classifier is not computed.
"""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from jobs import names
from workers.factories import Factory
from workers.models._arguments import check_sizes


class TorchvisionSegmentation(nn.Module):
    """The parts of one of torchvision's networks.

    Args:
        backbone: From images to features by name.
        classifier: From features to coarse logits.
        aux_classifier: The same, from the features `aux`.
        reads_all: Whether the classifier reads features of several layers; else those called `out`.
    """

    def __init__(
        self, backbone: nn.Module, classifier: nn.Module, aux_classifier: nn.Module | None, *, reads_all: bool
    ) -> None:
        super().__init__()
        self.backbone, self.classifier, self.aux_classifier = backbone, classifier, aux_classifier
        self.reads_all = reads_all

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Any:
        """Images to logits (n, num_classes, h, w); in training to those of both classifiers, if there are two."""
        features = self.backbone(images)
        size = images.shape[-2:]
        logits = _enlarged(self.classifier(features if self.reads_all else features["out"]), size)
        if self.aux_classifier is None or not self.training:
            return logits
        return {"out": logits, "aux": _enlarged(self.aux_classifier(features["aux"]), size)}


def _enlarged(logits: Tensor, size: torch.Size) -> Tensor:
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def segmentation_factory(name: str) -> Factory:
    """What builds the network of a name in `torchvision.models.segmentation`."""
    return partial(_build_plain if name.startswith("lraspp") else _build, name)


def _build(name: str, *, num_classes: int = 21, aux_loss: bool = False) -> nn.Module:
    whole = _whole(name, num_classes, aux_loss=aux_loss)
    return TorchvisionSegmentation(whole.backbone, whole.classifier, whole.aux_classifier, reads_all=False)


def _build_plain(name: str, *, num_classes: int = 21) -> nn.Module:
    """One that has no auxiliary classifier."""
    whole = _whole(name, num_classes)
    return TorchvisionSegmentation(whole.backbone, whole.classifier, None, reads_all=True)


def _whole(name: str, num_classes: int, **arguments: Any) -> Any:
    import torchvision  # takes seconds, and the zoo does not need it

    check_sizes(f"{names.TORCHVISION_PREFIX}{name}", num_classes=num_classes)
    builder = torchvision.models.get_model_builder(name)
    return builder(weights=None, weights_backbone=None, num_classes=num_classes, **arguments)
