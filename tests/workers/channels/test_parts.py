"""Groups of the parts of a network that cannot be traced whole."""

import copy

import pytest
import torch
from partial_networks import Head, tiny_detector
from torch import nn
from torchvision.models.detection import fasterrcnn_resnet50_fpn
from torchvision.ops import FrozenBatchNorm2d

from jobs.errors import BadInputError
from workers.channels import (
    MacCount,
    count_parameters,
    find_groups,
    fold_batchnorm,
    fold_model,
    largest_difference,
    load_resized,
    mask,
    outputs_of,
    select,
)
from workers.measure import count_macs

SHAPE, PARTS = (1, 16, 16), ("backbone", "head")
HALF = {"backbone.stem": [0, 2, 5], "backbone.deep": [1, 3, 4, 7], "head.first": [0, 1, 2, 3, 9]}
WIDTHS = {name: len(units) for name, units in HALF.items()}


@pytest.fixture(scope="module")
def detector() -> nn.Module:
    return tiny_detector()


@pytest.fixture(scope="module")
def found(detector):
    return find_groups(detector, SHAPE, parts=PARTS)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def with_state(model, state):
    other = copy.deepcopy(model)
    load_resized(other, state)
    return other


def difference(one, other, images, parts=PARTS) -> float:
    with torch.inference_mode():
        return largest_difference(
            outputs_of(copy.deepcopy(one).double(), images, parts),
            outputs_of(copy.deepcopy(other).double(), images, parts),
        )


def test_whole_it_cannot_be_traced(detector):
    with pytest.raises(ValueError, match="TinyDetector cannot be traced"):
        find_groups(detector, SHAPE)


class TestGroups:
    def test_names_are_those_of_the_whole_network_in_order_of_execution(self, found):
        assert found.widths() == {"backbone.stem": 6, "backbone.deep": 8, "head.first": 10}
        assert found.groups[1].layers == ("backbone.deep", "backbone.deeper")

    def test_what_crosses_a_border_stays(self, found):
        assert [(group.layers, group.reason) for group in found.refused] == [
            (("backbone.fine", "backbone.coarse"), "crosses the border of backbone"),
            (("head.second",), "crosses the border of head"),
        ]

    def test_sliced_equals_masked(self, detector, found, images):
        sliced = with_state(detector, select(detector.state_dict(), found, HALF))
        masked = with_state(detector, mask(detector.state_dict(), found, HALF))
        assert sliced.scores.weight.shape == (2, 6)
        assert difference(sliced, masked, images) < 1e-12 < 1e-3 < difference(masked, detector, images)

    def test_parameters_are_those_of_the_whole_network(self, detector, found):
        assert count_parameters(found, {}) == sum(each.numel() for each in detector.parameters())
        smaller = with_state(detector, select(detector.state_dict(), found, HALF))
        assert count_parameters(found, WIDTHS) == sum(each.numel() for each in smaller.parameters())

    def test_macs_are_those_of_an_example_image_with_its_boxes(self, detector, found):
        assert MacCount(found)({}) == count_macs(detector, SHAPE)
        boxes = found.applications["scores.weight"]
        assert 0 < boxes <= 5
        # The head's 16 x 10 and 10 x 6 weights lose half of the 10 channels.
        assert MacCount(found)({}) - MacCount(found)({"head.first": 5}) == boxes * (5 * 16 + 5 * 6)

    def test_a_layer_outside_counts_every_call(self, found):
        assert found.applications["objectness.weight"] == 2 * 8 * 8

    def test_attention_outside_of_the_parts_counts_its_projections(self):
        class Attending(nn.Module):
            """Decides by what it sees, ahead of a part."""

            def __init__(self):
                super().__init__()
                self.attention, self.part = nn.MultiheadAttention(16, 2, batch_first=True), Head()

            def forward(self, tokens):
                if float(tokens.sum()) > 1e9:
                    return tokens
                return self.part(self.attention(tokens, tokens, tokens, need_weights=False)[0])

        model = Attending().eval()
        found = find_groups(model, (5, 16), parts=["part"])
        layers = ("attention.in_proj_weight", "attention.out_proj.weight", "part.first.weight", "part.second.weight")
        assert found.applications == dict.fromkeys(layers, 5)
        assert MacCount(found)({}) == count_macs(model, (5, 16)) - 2 * 5 * 5 * 16  # the products of activations

    def test_excluded_layers_stay(self, detector):
        found = find_groups(detector, SHAPE, parts=PARTS, exclude=["backbone.deeper"])
        assert list(found.widths()) == ["backbone.stem", "head.first"]

    def test_the_network_is_left_alone(self, detector):
        before = torch.random.get_rng_state()
        detector.train()
        find_groups(detector, SHAPE, parts=["head"])
        assert detector.training
        assert not detector.head._forward_pre_hooks
        assert torch.equal(torch.random.get_rng_state(), before)
        detector.eval()

    def test_a_part_without_a_box_is_analysed_all_the_same(self):
        model = tiny_detector()
        nn.init.constant_(model.objectness.bias, -100.0)
        found = find_groups(model, SHAPE, parts=["head"])
        assert found.widths() == {"head.first": 10}
        assert found.applications["head.first.weight"] == 0
        assert MacCount(found)({}) == count_macs(model, SHAPE)

    def test_a_tensor_shared_with_the_rest_stays(self):
        model = tiny_detector()
        model.rest = nn.Linear(16, 10)
        model.rest.weight = model.head.first.weight
        (shared, _) = find_groups(model, SHAPE, parts=["head"]).refused
        assert shared.reason == "one tensor has 2 names, not all of them in this part: head.first.weight, rest.weight"

    def test_a_width_that_the_rest_reads_stays(self):
        model = tiny_detector()

        class Reading(type(model)):
            def forward(self, images):
                assert self.head.first.out_features == 10, "ten expected"
                return super().forward(images)

        model.__class__ = Reading
        found = find_groups(model, SHAPE, parts=PARTS)
        assert list(found.widths()) == ["backbone.stem", "backbone.deep"]
        assert "ten expected" in found.refused[-1].reason


class TestBadNames:
    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            (["backbon"], "TinyDetector has no part 'backbon'; the network has backbone, objectness, head, scores"),
            (["head.third"], "no part 'head.third'; 'head' has head.first, head.second"),
            (["head.first.x"], "no part 'head.first.x'; 'head.first' has no parts"),
            (["head", "head.first"], "'head.first' is part of 'head', which is named, too"),
            (["head", "head"], "'head' is part of 'head', which is named, too"),
            (["objectness"], "the network calls 'objectness' 2 times in one pass"),
        ],
    )
    def test_are_errors_that_say_what_there_is(self, detector, parts, message):
        with pytest.raises(BadInputError, match=message):
            find_groups(detector, SHAPE, parts=parts)

    def test_a_part_that_never_runs_is_one(self):
        model = tiny_detector()
        model.spare = nn.Linear(2, 2)
        with pytest.raises(BadInputError, match="calls 'spare' 0 times"):
            find_groups(model, SHAPE, parts=["spare"])


class TestNorms:
    @pytest.mark.parametrize("norm", [nn.BatchNorm2d, FrozenBatchNorm2d])
    def test_those_in_parts_are_folded(self, norm, images):
        model = tiny_detector(norm=norm)
        folded = copy.deepcopy(model)
        assert fold_model(folded, SHAPE, PARTS) == [("backbone.stem", "backbone.norm")]
        assert isinstance(folded.backbone.norm, nn.Identity)
        assert difference(folded, model, images) < 1e-6

    def test_a_frozen_one_has_channels(self, images):
        model = tiny_detector(norm=FrozenBatchNorm2d)
        model.backbone.norm.eps = 0.0  # as in torchvision's trained detectors; a masked variance must not be zero
        found = find_groups(model, SHAPE, parts=["backbone"])
        assert {name for name in found.tensors if ".norm." in name} == {
            f"backbone.norm.{name}" for name in ("weight", "bias", "running_mean", "running_var")
        }
        kept = {"backbone.stem": [0, 2, 5]}
        sliced = with_state(model, select(model.state_dict(), found, kept))
        masked = with_state(model, mask(model.state_dict(), found, kept))
        assert difference(sliced, masked, images, ["backbone"]) < 1e-12

    def test_so_it_has_in_a_network_that_is_traced_whole(self, images):
        layers = (nn.Conv2d(1, 4, 3), FrozenBatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1), FrozenBatchNorm2d(2))
        model = nn.Sequential(*layers).eval()
        model[1].running_mean.uniform_(-1, 1)
        found = find_groups(model, SHAPE)
        assert found.widths() == {"0": 4}
        sliced = with_state(model, select(model.state_dict(), found, {"0": [1, 3]}))
        masked = with_state(model, mask(model.state_dict(), found, {"0": [1, 3]}))
        assert difference(sliced, masked, images, ()) < 1e-12
        assert fold_batchnorm(model, SHAPE) == [("0", "1"), ("3", "4")]
        folded = copy.deepcopy(model)
        fold_model(folded, SHAPE)
        assert difference(folded, model, images, ()) < 1e-6


def test_a_part_of_a_faster_rcnn_of_torchvision_is_cut():
    class Detector(nn.Module):
        """From a batch to the boxes of all images."""

        def __init__(self):
            super().__init__()
            options = {"min_size": 32, "max_size": 32, "rpn_pre_nms_top_n_test": 20, "rpn_post_nms_top_n_test": 5}
            self.net = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3, **options)

        def forward(self, images):
            return torch.cat([each["boxes"] for each in self.net(list(images))])

    torch.manual_seed(0)
    model = Detector().eval()
    found = find_groups(model, (3, 32, 32), parts=["net.backbone.body.layer4"])
    assert list(found.widths().values()) == [512] * 6  # of three bottlenecks both inner convolutions
    widths = dict.fromkeys(found.widths(), range(32))
    load_resized(model, select(model.state_dict(), found, widths))
    assert model(torch.rand(1, 3, 32, 32)).shape[1] == 4
    assert sum(each.numel() for each in model.parameters()) == count_parameters(found, dict.fromkeys(widths, 32))
