"""A detector that tests can afford: images of 64 pixels, features of stride 16, at most five detections."""

import functools

import torch
from torch import Tensor

from workers.channels import ChannelMap, find_groups
from workers.models.detection import Detector
from workers.models.faster_rcnn import faster_rcnn

ARGUMENTS = {
    "depth": 10,
    "widths": [4, 4, 6, 8],
    "num_classes": 3,
    "min_size": 64,
    "max_size": 64,
    "anchor_sizes": [16, 24],
    "aspect_ratios": [1.0],
    "pooled": 4,
    "sampled": 8,
    "proposals": 6,
    "detections": 5,
}
PARTS = ("backbone", "roi_heads.box_head")


def small_detector(**changed: object) -> Detector:
    """One in evaluation mode; always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return faster_rcnn(**(ARGUMENTS | changed)).eval()


@functools.cache
def small_map() -> ChannelMap:
    """Its channel groups."""
    return find_groups(small_detector(), (3, 64, 64), parts=PARTS)


def images(number: int = 2) -> Tensor:
    """Noise."""
    return torch.rand(number, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def targets(number: int = 2) -> Tensor:
    """One box and two rows of padding for each image."""
    boxes = torch.zeros(number, 3, 6)
    boxes[:, 0] = torch.tensor([4.0, 8.0, 28.0, 30.0, 2.0, 0.0])
    return boxes
