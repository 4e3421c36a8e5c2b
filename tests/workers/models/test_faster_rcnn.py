import pytest
import torch
from small_detectors import ARGUMENTS, PARTS, images, small_detector, small_map, targets
from torch import nn

from jobs.errors import BadInputError
from workers.channels import largest_difference, load_resized, mask, outputs_of, select
from workers.models import build
from workers.models.faster_rcnn import faster_rcnn, faster_rcnn_fpn
from workers.models.residual_stages import residual_stages

SMALL = {name: value for name, value in ARGUMENTS.items() if name not in ("depth", "widths")}


def test_a_detector_cut_in_its_parts_computes_what_the_masked_one_does():
    model, channel_map = small_detector().double(), small_map()
    assert {"backbone.conv1", "backbone.layer3.0.conv1", "roi_heads.box_head.layer4.0.conv1"} <= set(
        channel_map.widths()
    )
    kept = {name: range(max(1, width // 2)) for name, width in channel_map.widths().items()}
    state = model.state_dict()
    cut, masked = (small_detector().double() for _ in range(2))
    load_resized(cut, select(state, channel_map, kept))
    load_resized(masked, mask(state, channel_map, kept))
    with torch.inference_mode():
        found, expected = (outputs_of(each, images().double(), PARTS) for each in (cut, masked))
    assert largest_difference(found, expected) < 1e-9


def test_a_pruned_classifier_whose_norms_were_folded_becomes_the_backbone():
    stages = residual_stages("r", depth=10, widths=[4, 4, 6, 8])
    stages.conv1, stages.bn1 = nn.Conv2d(3, 4, 7, stride=2, padding=3), nn.Identity()
    block = stages.layer4[0]
    block.conv1, block.bn1, block.conv2 = nn.Conv2d(6, 5, 3, 2, 1), nn.BatchNorm2d(5), nn.Conv2d(5, 8, 3, 1, 1)
    stages.add_module("fc", nn.Linear(8, 10))
    detector = faster_rcnn(backbone=stages, **SMALL)
    assert detector.backbone["conv1"] is stages.conv1
    assert detector.roi_heads.box_head.layer4[0].conv2 is block.conv2
    assert all(float(loss.detach()) > 0 for loss in detector(images(), targets()).values())


def test_the_zoos_own_classifiers_become_backbones():
    model = build("resnet", {"widths": [4, 6], "num_classes": 10})
    detector = faster_rcnn(backbone=model, **SMALL).eval()
    assert list(detector.backbone) == ["conv1", "bn1", "relu", "layer1"]
    assert list(dict(detector.roi_heads.box_head.named_children())) == ["layer2"]


def test_a_pyramid_has_a_level_for_each_stage_and_one_more():
    common = SMALL | {"anchor_sizes": [8, 16, 24, 32, 48]}
    detector = faster_rcnn_fpn(depth=10, widths=[4, 4, 6, 8], pyramid_width=4, head_width=6, **common).eval()
    with torch.no_grad():
        assert detector(images()).shape == (2, 5, 6)
    with pytest.raises(BadInputError, match="anchor_sizes has 2 entries; one for each of its 5 levels"):
        faster_rcnn_fpn(depth=10, widths=[4, 4, 6, 8], anchor_sizes=[8, 16])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"backbone": nn.Sequential(nn.Linear(1, 1))}, "is Sequential with the parts 0; a residual network"),
        ({"depth": 11}, "depth is 11; one of 10, 18, 34, 50"),
        ({"widths": [4, 4]}, "the number of widths is 2; one of 4"),
        ({"pooled": 0}, "pooled is 0"),
        ({"anchor_sizes": []}, r"anchor_sizes is \[\[\]\]"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, said):
    with pytest.raises(BadInputError, match=said):
        faster_rcnn(**(ARGUMENTS | arguments))
