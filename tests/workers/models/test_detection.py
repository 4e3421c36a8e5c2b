import pytest
import torch
import torchvision
from small_detectors import images, small_detector, targets
from torchvision.models.detection import FasterRCNN
from torchvision.ops import FrozenBatchNorm2d

from jobs.errors import BadInputError
from workers.models import build


@pytest.fixture(scope="module")
def detector():
    return small_detector()


@pytest.fixture
def theirs(detector):
    """torchvision's own detector that it is made of."""
    whole = detector._whole[0]
    assert type(whole) is FasterRCNN
    return whole.eval()


def as_mappings(boxes):
    return [{"boxes": each[:1, :4], "labels": each[:1, 4].long()} for each in boxes]


def test_tensors_are_named_and_shaped_as_torchvisions():
    name = "retinanet_resnet50_fpn"
    with torch.device("meta"):
        ours = build(f"torchvision:{name}", {"num_classes": 4})
        own = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=4)
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (ours, own)]
    assert shapes[0] == shapes[1]


def test_detections_are_torchvisions_filled_up_with_zeros(detector, theirs):
    with torch.no_grad():
        found, expected = detector(images()), theirs(list(images()))
    assert found.shape == (2, 5, 6)
    for rows, own in zip(found, expected, strict=True):
        count = len(own["labels"])
        torch.testing.assert_close(rows[:count, :4], own["boxes"], rtol=0, atol=0)
        torch.testing.assert_close(rows[:count, 4], own["scores"], rtol=0, atol=0)
        assert rows[:count, 5].tolist() == own["labels"].tolist()
        assert not rows[count:].any()


def test_losses_are_torchvisions_in_training(detector, theirs):
    torch.manual_seed(3)
    detector.train()
    before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}
    found = detector(images(), targets())
    detector.load_state_dict(before)
    torch.manual_seed(3)
    theirs.train()
    expected = theirs(list(images()), as_mappings(targets()))
    detector.load_state_dict(before)
    detector.eval()
    assert {name: float(loss.detach()) for name, loss in found.items()} == {
        name: float(loss.detach()) for name, loss in expected.items()
    }


def test_losses_in_evaluation_are_always_the_same_and_draw_nothing(detector):
    state = torch.get_rng_state()
    with torch.no_grad():
        first, second = detector(images(), targets()), detector(images(), targets())
    assert first == second
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in detector.modules())


def test_difficult_boxes_and_hidden_targets_are_not_learnt(detector):
    hard = targets()
    hard[:, 1] = torch.tensor([30.0, 30.0, 60.0, 60.0, 1.0, 1.0])
    with torch.no_grad():
        assert detector(images(), hard) == detector(images(), targets())
        nothing = detector(images(), torch.full((2, 3, 6), float("nan")))
    assert nothing["loss_box_reg"] == 0


def test_a_label_that_the_detector_does_not_have_is_named(detector):
    boxes = targets()
    boxes[0, 0, 4] = 3
    with pytest.raises(BadInputError, match="has label 3, but the detector has 3 classes, the background included"):
        detector(images(), boxes)


def test_frozen_norms_compute_what_the_norms_do_in_evaluation(detector):
    frozen = small_detector(norm="frozen")
    assert isinstance(frozen.backbone["bn1"], FrozenBatchNorm2d)
    with torch.no_grad():
        features = [each.backbone(images())["0"] for each in (detector, frozen)]
    torch.testing.assert_close(*features)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("fasterrcnn_resnet50_fpn", {"weights_backbone": "DEFAULT"}, "weights are named by the model"),
        ("fcos_resnet50_fpn", {"norm": "group"}, "norm is 'group'; one of batch, frozen"),
        ("ssd300_vgg16", {"anchor_sizes": [8]}, "anchor_sizes is not accepted: its boxes have fixed sizes"),
        ("retinanet_resnet50_fpn", {"anchor_sizes": ["8"]}, "lists of positive numbers"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(name, arguments, said):
    with pytest.raises(BadInputError, match=said):
        build(f"torchvision:{name}", arguments)
