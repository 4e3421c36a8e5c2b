"""Metrics of detection: mean average precision as COCO and as PASCAL VOC define it, in double precision.

All are updated with a network's outputs, x1, y1, x2, y2 in pixels, score, label for each detection, and with targets,
x1, y1, x2, y2, label, difficult or crowd for each object; label 0 is padding. Corners lie between pixels: a box has
the width x2 - x1. (VOC's development kit adds 1, since its boxes include the pixels at both ends; `voc-detection`
reads such boxes so that their width here is the same.)

The mean is over the classes that have an object in the targets, flagged ones not counted.
"""

import contextlib
import io
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
import torchmetrics
from jaxtyping import Bool, Float, Float64
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from jobs.errors import BadInputError

COCO_THRESHOLDS: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
VOC_THRESHOLD = 0.5
MAX_DETECTIONS = 100
"""Detections of one class in one image that COCO counts, those of the highest scores."""

Boxes = Float64[np.ndarray, "_ 7"]
"""Image, x1, y1, x2, y2, and then score and label, or label and flag."""

_SCORE, _OUTPUT_LABEL = 5, 6
_TARGET_LABEL, _FLAG = 5, 6


class _Detections(torchmetrics.Metric):
    """Keeps the detections and objects of all images, without padding."""

    found: list[Tensor]
    wanted: list[Tensor]
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("found", default=[], dist_reduce_fx="cat")
        self.add_state("wanted", default=[], dist_reduce_fx="cat")
        self.add_state("seen", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, outputs: Float[Tensor, "n d 6"], targets: Float[Tensor, "n m 6"]) -> None:
        """Keep a batch."""
        first = int(self.seen)
        self.found.append(_unpadded(outputs, label=_OUTPUT_LABEL - 1, first=first))
        self.wanted.append(_unpadded(targets, label=_TARGET_LABEL - 1, first=first))
        self.seen += len(outputs)

    def kept(self) -> tuple[Boxes, Boxes]:
        """All detections and all objects.

        Raises:
            BadInputError: No object counts, so that precision is of nothing.
        """
        found, wanted = (dim_zero_cat(each).cpu().numpy() for each in (self.found, self.wanted))
        if not (wanted[:, _FLAG] == 0).any():
            raise BadInputError(
                f"detection: none of the {int(self.seen)} images has an object that counts, so that there is no mean "
                "average precision; evaluate on more images"
            )
        return found, wanted


def _unpadded(boxes: Float[Tensor, "n k 6"], *, label: int, first: int) -> Float64[Tensor, "kept 7"]:
    """The boxes that are no padding, each after the number of its image."""
    real = boxes[..., label] > 0
    image = real.nonzero()[:, :1] + first
    return torch.cat([image.double(), boxes.detach()[real].double()], 1)


class CocoPrecision(_Detections):
    """COCO's mean average precision, by pycocotools; crowds and difficult objects are passed on as crowds.

    Source: cocodataset.org, "Detection Evaluation".

    Args:
        thresholds: The overlaps (IoU) to take the mean over.
    """

    def __init__(self, thresholds: Sequence[float] = COCO_THRESHOLDS) -> None:
        super().__init__()
        self._thresholds = tuple(thresholds)

    def compute(self) -> Float64[Tensor, ""]:
        """The mean, in [0, 1]."""
        found, wanted = self.kept()
        num_images = int(self.seen)
        with contextlib.redirect_stdout(io.StringIO()):  # it reports every step
            objects = _coco(wanted, label=_TARGET_LABEL, num_images=num_images)
            evaluation = COCOeval(objects, _coco(found, label=_OUTPUT_LABEL, num_images=num_images), "bbox")
            evaluation.params.iouThrs = np.array(self._thresholds)
            evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, float("inf")]], ["all"]
            evaluation.params.maxDets = [MAX_DETECTIONS]
            evaluation.evaluate()
            evaluation.accumulate()
        precision = evaluation.eval["precision"]
        return torch.tensor(precision[precision > -1].mean(), dtype=torch.float64)  # -1: classes without an object


class CocoPrecisionAtHalf(CocoPrecision):
    """The same at an overlap of one half, AP50."""

    def __init__(self) -> None:
        super().__init__([0.5])


def _coco(boxes: Boxes, *, label: int, num_images: int) -> COCO:
    """Boxes as pycocotools takes them."""
    annotations = []
    for number, row in enumerate(boxes.tolist(), start=1):  # it takes number 0 for none
        left, top, width, height = row[1], row[2], row[3] - row[1], row[4] - row[2]
        described = {"bbox": [left, top, width, height], "area": width * height, "category_id": int(row[label])}
        flag = int(row[_FLAG]) if label == _TARGET_LABEL else 0
        annotations.append(
            {"id": number, "image_id": int(row[0]), **described, "score": row[_SCORE], "iscrowd": flag, "ignore": flag}
        )
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in range(num_images)],
        "annotations": annotations,
        "categories": [{"id": int(each)} for each in np.unique(boxes[:, label])],
    }
    coco.createIndex()
    return coco


class _VocPrecision(_Detections):
    """PASCAL VOC's mean average precision at an overlap of one half, by the rules of its development kit.

    In the order of their scores, each detection is compared with the object of its class that it overlaps most. Below
    one half it is a false alarm. If that object is difficult, the detection does not count; if an earlier detection
    has it already, it is a false alarm, whatever else it overlaps.

    Source: VOCevaldet.m of the development kits of 2007 and 2010; Everingham et al., IJCV 2010, section 4.2.
    """

    def compute(self) -> Float64[Tensor, ""]:
        """The mean, in [0, 1]."""
        found, wanted = self.kept()
        precisions = []
        for label in np.unique(wanted[wanted[:, _FLAG] == 0, _TARGET_LABEL]):
            objects = wanted[wanted[:, _TARGET_LABEL] == label]
            right = _right_ones(found[found[:, _OUTPUT_LABEL] == label], objects)
            precisions.append(self.average(right, int((objects[:, _FLAG] == 0).sum())))
        return torch.tensor(precisions, dtype=torch.float64).mean()

    @abstractmethod
    def average(self, right: Bool[np.ndarray, " k"], num_objects: int) -> float:
        """The average precision of one class.

        Args:
            right: For each detection that counts, in the order of falling scores, whether it is right.
            num_objects: Number of objects that count, at least 1.
        """


class VocElevenPoints(_VocPrecision):
    """That of 2007: the mean, over the recalls 0, 0.1, ..., 1, of the highest precision at that recall or above."""

    def average(self, right: Bool[np.ndarray, " k"], num_objects: int) -> float:
        """The average precision of one class."""
        hits, precision = right.cumsum(), _highest_from(right)
        reached = (precision[10 * hits >= tenths * num_objects] for tenths in range(11))
        return sum(float(each[0]) if len(each) else 0.0 for each in reached) / 11


class VocArea(_VocPrecision):
    """That of 2010 and later: the area below the curve of precision over recall, made to fall."""

    def average(self, right: Bool[np.ndarray, " k"], num_objects: int) -> float:
        """The average precision of one class."""
        return float(_highest_from(right)[right].sum()) / num_objects


def _highest_from(right: Bool[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
    """The precision after each detection, or after a later one where that is higher."""
    precision = right.cumsum() / np.arange(1, len(right) + 1)
    return np.maximum.accumulate(precision[::-1])[::-1]


def _right_ones(found: Boxes, objects: Boxes) -> Bool[np.ndarray, " k"]:
    """Whether each detection of a class is right, in the order of falling scores, without those that do not count."""
    of_image: dict[float, list[int]] = defaultdict(list)
    for number, image in enumerate(objects[:, 0].tolist()):
        of_image[image].append(number)
    taken: set[int] = set()
    right = []
    for row in found[np.argsort(-found[:, _SCORE], kind="stable")]:
        here = of_image.get(row[0])
        overlaps = _overlaps(row[1:5], objects[here, 1:5]) if here else np.zeros(1)
        closest = int(overlaps.argmax())
        if here is None or overlaps[closest] < VOC_THRESHOLD:
            right.append(False)
        elif not objects[here[closest], _FLAG]:
            right.append(here[closest] not in taken)
            taken.add(here[closest])
    return np.array(right, dtype=bool)


def _overlaps(box: Float64[np.ndarray, " 4"], others: Float64[np.ndarray, "m 4"]) -> Float64[np.ndarray, " m"]:
    """Intersection over union of one box with each of others."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    intersection = shared.clip(0).prod(1)
    union = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - intersection
    shares: Float64[np.ndarray, " m"] = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return shares
