"""torchvision's detectors as modules of tensors, under torchvision's names of tensors, so that its checkpoints load.

torchvision's own take and return lists of mappings, and answer with losses in training and with boxes in evaluation.
These take tensors, and answer with losses where they are given targets, in either mode. torchvision is imported where a
detector is built, since that takes seconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs import names
from jobs.errors import BadInputError
from workers.factories import Factory
from workers.models._arguments import check_choice, check_sizes

OWN_ARGUMENTS = frozenset({"norm", "norm_eps", "anchor_sizes", "aspect_ratios"})
"""Arguments of these detectors that torchvision's do not have."""

_TWO_STAGES = ("rpn", "roi_heads")
"""Parts of a two-stage detector that look at their mode to know whether losses are wanted."""


class Detector(nn.Module):
    """One of torchvision's detectors, its parts under their own names.

    Args:
        whole: The detector.
        num_classes: Its classes, the background included.

    Attributes:
        num_detections: Detections that it returns for each image, padding included.
    """

    def __init__(self, whole: nn.Module, *, num_classes: int) -> None:
        super().__init__()
        for name, part in whole.named_children():
            self.add_module(name, part)
        self._whole = (whole,)  # in a tuple, so that it is no submodule: tensors have one name each
        self.num_classes = num_classes
        last: Any = getattr(whole, "roi_heads", whole)
        self.num_detections: int = last.detections_per_img

    def forward(
        self, images: Float[Tensor, "n 3 h w"], targets: Float[Tensor, "n m 6"] | None = None
    ) -> Float[Tensor, "n num_detections 6"] | dict[str, Float[Tensor, ""]]:
        """Detections, or the losses with respect to targets, each a mean over the batch.

        In evaluation mode the losses are deterministic: the anchors and boxes that they are computed of are drawn in
        the same way at every call.

        Args:
            images: In [0, 1], or normalised as the detector was told to expect them.
            targets: x1, y1, x2, y2 in pixels, label from 1, and 1 for a difficult box or a crowd, which is not learnt;
                rows of label 0 are no boxes.

        Returns:
            x1, y1, x2, y2 in pixels, score, label of each detection, filled up with zeros; with targets, losses by
            name.

        Raises:
            BadInputError: A label is not among the detector's classes.
        """
        if targets is None:
            with self._answering(losses=False):
                return self._padded(self._whole[0](list(images)))
        wanted = self._as_mappings(targets)
        with self._answering(losses=True), _drawn_from(images.device, seeded=not self.training):
            losses: dict[str, Tensor] = self._whole[0](list(images), wanted)
        return losses

    @contextmanager
    def _answering(self, *, losses: bool) -> Iterator[None]:
        """Tells torchvision's code what to answer with. The modes of norms and dropout are not touched."""
        asked = [self._whole[0], *(getattr(self, name) for name in _TWO_STAGES if hasattr(self, name))]
        modes = [each.training for each in asked]
        for each in asked:
            each.training = losses
        try:
            yield
        finally:
            for each, mode in zip(asked, modes, strict=True):
                each.training = mode

    def _as_mappings(self, targets: Tensor) -> list[dict[str, Tensor]]:
        highest = int(targets[..., 4].nan_to_num().max()) if targets.numel() else 0
        if highest >= self.num_classes:
            raise BadInputError(
                f"the data has label {highest}, but the detector has {self.num_classes} classes, the background "
                f"included; build it with num_classes: {highest + 1} or more"
            )
        rows = (each[(each[:, 4] > 0) & (each[:, 5] == 0)] for each in targets)
        return [{"boxes": each[:, :4], "labels": each[:, 4].long()} for each in rows]

    def _padded(self, found: Sequence[Mapping[str, Tensor]]) -> Float[Tensor, "n num_detections 6"]:
        rows = [
            torch.cat([each["boxes"], each["scores"][:, None], each["labels"][:, None].to(each["boxes"])], 1)
            for each in found
        ]
        return torch.stack([nn.functional.pad(each, (0, 0, 0, self.num_detections - len(each))) for each in rows])


@contextmanager
def _drawn_from(device: torch.device, *, seeded: bool) -> Iterator[None]:
    """Draws anchors and boxes with generators of a fixed seed, which are restored; or leaves the generators alone."""
    if not seeded:
        yield
        return
    on_cuda = device.type == "cuda"
    index = (torch.cuda.current_device() if device.index is None else device.index) if on_cuda else 0
    with torch.random.fork_rng(devices=[index] if on_cuda else []):
        torch.default_generator.manual_seed(0)
        if on_cuda:
            torch.cuda.default_generators[index].manual_seed(0)
        yield


def freeze_norms(module: nn.Module, *, eps: float | None = None) -> None:
    """Replace batch norms by norms whose statistics, scales and shifts stay as they are, in place.

    Args:
        module: Searched through; a batch norm itself cannot be replaced.
        eps: What is added to variances; None: what each batch norm adds.
    """
    from torchvision.ops import FrozenBatchNorm2d

    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                frozen = FrozenBatchNorm2d(child.num_features, eps=child.eps if eps is None else eps)
                found = child.state_dict()
                frozen.load_state_dict({each: found[each] for each in frozen.state_dict()})
                setattr(parent, name, frozen)


def anchors_of(network: str, sizes: Sequence[Any], ratios: Sequence[Any], *, levels: int | None = None) -> nn.Module:
    """The anchors of a detector.

    Args:
        network: Its name, for messages.
        sizes: For each level of features a side in pixels, or several.
        ratios: Height by width, of every level.
        levels: How many levels there are; None: not known here.

    Raises:
        BadInputError: They are no positive numbers, or there are not as many sizes as levels.
    """
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    nested = [[each] if isinstance(each, int | float) else each for each in _listed(sizes)]
    numbers = [*_listed(ratios), *(size for each in nested for size in _listed(each))]
    positive = all(isinstance(each, int | float) and each > 0 for each in numbers)
    if not nested or not all(nested) or not ratios or not positive:
        raise BadInputError(
            f"network '{network}': anchor_sizes is {sizes!r}, aspect_ratios is {ratios!r}; lists of positive numbers "
            "are needed, for example [32, 64, 128] and [0.5, 1, 2]"
        )
    if levels is not None and len(nested) != levels:
        raise BadInputError(
            f"network '{network}': anchor_sizes has {len(nested)} entries; one for each of its {levels} levels of "
            "features is needed"
        )
    anchors: nn.Module = AnchorGenerator(tuple(map(tuple, nested)), (tuple(ratios),) * len(nested))
    return anchors


def _listed(values: object) -> Sequence[Any]:
    """A list; of anything else one whose entry fails the checks."""
    return values if isinstance(values, list | tuple) else [values]


def detection_factory(name: str) -> Factory:
    """What builds the network of a name in `torchvision.models.detection`."""
    return partial(_build, name)


def _build(
    name: str,
    *,
    num_classes: int = 91,
    norm: str = "batch",
    norm_eps: float | None = None,
    anchor_sizes: Sequence[Any] | None = None,
    aspect_ratios: Sequence[Any] = (0.5, 1.0, 2.0),
    **settings: Any,
) -> Detector:
    """A network of torchvision's.

    Args:
        name: Its name.
        num_classes: Classes, the background included.
        norm: `batch`, or `frozen`, whose statistics are those of the checkpoint.
        norm_eps: What frozen norms add to variances; default: what batch norms add.
        anchor_sizes: As of `anchors_of`; default: torchvision's.
        aspect_ratios: As of `anchors_of`, with `anchor_sizes`.
        settings: torchvision's own, such as `min_size`.
    """
    import torchvision

    network = f"{names.TORCHVISION_PREFIX}{name}"
    check_sizes(network, num_classes=num_classes)
    check_choice(network, "norm", norm, ("batch", "frozen"))
    if anchor_sizes is not None:
        if name.startswith("ssd"):
            raise BadInputError(f"network '{network}': anchor_sizes is not accepted: its boxes have fixed sizes")
        argument = "rpn_anchor_generator" if name.startswith("fasterrcnn") else "anchor_generator"
        settings[argument] = anchors_of(network, anchor_sizes, aspect_ratios)
    builder = torchvision.models.get_model_builder(name)
    whole = builder(weights=None, weights_backbone=None, num_classes=num_classes, **settings)
    if norm == "frozen":
        freeze_norms(whole, eps=norm_eps)
    return Detector(whole, num_classes=num_classes)
