"""Faster R-CNN on a residual network (Ren et al. 2015, arXiv:1506.01497), with one scale of features and with several.

The backbone may also be a classifier that was trained and pruned before: whatever has a stem and stages of such names.
torchvision, whose parts these are, is imported where a detector is built, since that takes seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError
from workers.models._arguments import check_choice, check_sizes
from workers.models.detection import Detector, anchors_of, freeze_norms
from workers.models.modes import in_mode
from workers.models.residual_stages import residual_stages

_SIDE = 64
"""Of the images on which the channels of a backbone are counted, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """Arguments of both networks.

    Attributes:
        num_classes: Classes, the background included.
        min_size: Shorter side, in pixels, to which images are scaled.
        max_size: Longer side, in pixels, that they do not exceed.
        aspect_ratios: Height by width of the anchors.
        image_mean: Subtracted from red, green and blue of images in [0, 1]; default: ImageNet's, as in torchvision.
        image_std: Divided by, likewise.
        sampled: Boxes of an image, at most, that the head learns from at a step.
        proposals: Boxes of an image, at most, that are judged in evaluation.
        detections: Detections of an image, at most.
    """

    num_classes: int = 21
    min_size: int = 600
    max_size: int = 1000
    aspect_ratios: Sequence[Any] = (0.5, 1.0, 2.0)
    image_mean: Sequence[Any] = (0.485, 0.456, 0.406)
    image_std: Sequence[Any] = (0.229, 0.224, 0.225)
    sampled: int = 128
    proposals: int = 300
    detections: int = 100

    def check(self, network: str, **sizes: object) -> None:
        """Check these arguments and further `sizes`.

        Raises:
            BadInputError: One of them does not do.
        """
        own = ("num_classes", "min_size", "max_size", "sampled", "proposals", "detections")
        check_sizes(network, **{name: getattr(self, name) for name in own}, **sizes)

    def detector(self, backbone: nn.Module, **parts: nn.Module) -> Detector:
        """The detector with these parts."""
        from torchvision.models.detection import FasterRCNN

        whole = FasterRCNN(
            backbone,
            min_size=self.min_size,
            max_size=self.max_size,
            image_mean=list(self.image_mean),
            image_std=list(self.image_std),
            rpn_post_nms_top_n_test=self.proposals,
            box_batch_size_per_image=self.sampled,
            box_detections_per_img=self.detections,
            **parts,
        )
        return Detector(whole, num_classes=self.num_classes)


class LastStage(nn.Module):
    """The last stage of a residual network and a mean over the cells: from a box's features to a vector."""

    def __init__(self, name: str, stage: nn.Module) -> None:
        super().__init__()
        self._name = name
        self.add_module(name, stage)

    def forward(self, boxes: Float[Tensor, "boxes channels h w"]) -> Float[Tensor, "boxes features"]:
        """Features to vectors."""
        cells: Tensor = self.get_submodule(self._name)(boxes)
        return cells.mean((2, 3))


def faster_rcnn(
    *,
    depth: int = 34,
    widths: Sequence[int] = (64, 128, 256, 512),
    norm: str = "batch",
    backbone: nn.Module | None = None,
    anchor_sizes: Sequence[Any] = (128, 256, 512),
    pooled: int = 14,
    **common: Any,
) -> Detector:
    """The network `faster_rcnn`: features of one scale, of all stages but the last, which is the head of the boxes.

    With ImageNet's four stages these features have a stride of 16 (He et al. 2016, arXiv:1512.03385, appendix A).
    Channels may go in the parts `backbone` and `roi_heads.box_head`.

    Args:
        depth: Of the residual network: 10, 18, 34 or 50.
        widths: Channels of its stages.
        norm: `batch`, or `frozen`, whose statistics are those of the checkpoint.
        backbone: A residual network whose stages are taken, in the place of `depth` and `widths`. They are not copied.
        anchor_sizes: Sides of the anchors, in pixels of the scaled images.
        pooled: Cells along a side of a box's features; the last stage halves them.
        common: `num_classes`, `min_size`, `max_size`, `aspect_ratios`, `image_mean`, `image_std`, `sampled`,
            `proposals`, `detections` (see `_Common`).

    Raises:
        BadInputError: An argument does not do, or the backbone is no residual network.
    """
    from torchvision.models._utils import IntermediateLayerGetter
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
    from torchvision.ops import MultiScaleRoIAlign

    network, arguments = "faster_rcnn", _Common(**common)
    arguments.check(network, pooled=pooled)
    stages = _stages(network, backbone, depth=depth, widths=widths, norm=norm)
    *front, last = _stage_names(network, stages)
    trunk = IntermediateLayerGetter(stages, {front[-1]: "0"})
    channels = trunk.out_channels = _run(trunk, torch.zeros(1, 3, _SIDE, _SIDE))["0"].shape[1]
    head = LastStage(last, stages.get_submodule(last))
    features = _run(head, torch.zeros(1, channels, pooled, pooled)).shape[1]
    return arguments.detector(
        trunk,
        rpn_anchor_generator=anchors_of(network, [anchor_sizes], arguments.aspect_ratios),
        box_roi_pool=MultiScaleRoIAlign(["0"], output_size=pooled, sampling_ratio=2),
        box_head=head,
        box_predictor=FastRCNNPredictor(features, arguments.num_classes),
    )


def faster_rcnn_fpn(
    *,
    depth: int = 34,
    widths: Sequence[int] = (64, 128, 256, 512),
    norm: str = "batch",
    backbone: nn.Module | None = None,
    anchor_sizes: Sequence[Any] = (32, 64, 128, 256, 512),
    pooled: int = 7,
    pyramid_width: int = 256,
    head_width: int = 1024,
    **common: Any,
) -> Detector:
    """The network `faster_rcnn_fpn`: features of every stage in a pyramid (Lin et al. 2017, arXiv:1612.03144).

    Channels may go in the parts `backbone` and `roi_heads.box_head`.

    Args:
        depth: As of `faster_rcnn`.
        widths: As of `faster_rcnn`.
        norm: As of `faster_rcnn`.
        backbone: As of `faster_rcnn`; its classifier is not used.
        anchor_sizes: Side of the anchors of each stage, and of one level above them.
        pooled: Cells along a side of a box's features.
        pyramid_width: Channels of every level.
        head_width: Features of a box.
        common: As of `faster_rcnn`.

    Raises:
        BadInputError: As `faster_rcnn`.
    """
    from torchvision.models._utils import IntermediateLayerGetter
    from torchvision.models.detection.backbone_utils import BackboneWithFPN
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.ops import MultiScaleRoIAlign

    network, arguments = "faster_rcnn_fpn", _Common(**common)
    arguments.check(network, pooled=pooled, pyramid_width=pyramid_width, head_width=head_width)
    stages = _stages(network, backbone, depth=depth, widths=widths, norm=norm)
    levels = {name: str(number) for number, name in enumerate(_stage_names(network, stages))}
    found = _run(IntermediateLayerGetter(stages, dict(levels)), torch.zeros(1, 3, _SIDE, _SIDE))
    return arguments.detector(
        BackboneWithFPN(stages, levels, [each.shape[1] for each in found.values()], pyramid_width),
        rpn_anchor_generator=anchors_of(network, anchor_sizes, arguments.aspect_ratios, levels=len(levels) + 1),
        box_roi_pool=MultiScaleRoIAlign([*levels.values()], output_size=pooled, sampling_ratio=2),
        box_head=TwoMLPHead(pyramid_width * pooled**2, head_width),
        box_predictor=FastRCNNPredictor(head_width, arguments.num_classes),
    )


def _stages(network: str, backbone: nn.Module | None, *, depth: int, widths: Sequence[int], norm: str) -> nn.Module:
    check_choice(network, "norm", norm, ("batch", "frozen"))
    stages = residual_stages(network, depth=depth, widths=widths) if backbone is None else backbone
    if norm == "frozen":
        freeze_norms(stages)
    return stages


def _stage_names(network: str, stages: nn.Module) -> list[str]:
    """`layer1` and so on, at least two, which directly follow the stem."""
    parts = [name for name, _ in stages.named_children()]
    found = [f"layer{number}" for number in range(1, 1 + sum(name.startswith("layer") for name in parts))]
    if len(found) < 2 or "conv1" not in parts or not set(found) <= set(parts):
        raise BadInputError(
            f"network '{network}': the backbone is {type(stages).__name__} with the parts "
            f"{', '.join(parts) or 'of no name'}; a residual network with conv1, bn1, relu, layer1, layer2 and so on "
            "is needed"
        )
    return found


@torch.no_grad()
def _run(module: nn.Module, example: Tensor) -> Any:
    """What a module returns for an example, in evaluation mode."""
    with in_mode(module, training=False):
        return module(example.to(next(module.parameters())))
