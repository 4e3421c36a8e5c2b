import pytest
import torch
from small_detectors import images, small_detector, targets

from jobs.errors import BadInputError
from jobs.stages.common import ObjectiveParams
from workers.data import Split
from workers.measure import evaluate
from workers.objectives import find_objective

DETECTION = find_objective(ObjectiveParams(name="detection"))
LOSSES = {"classifier": torch.tensor(1.5), "boxes": torch.tensor(0.5)}


def test_the_loss_is_the_sum_of_the_networks_losses():
    assert DETECTION.loss(LOSSES, targets(3)) == 2
    assert DETECTION.loss(LOSSES, targets(3), reduction="sum") == 6
    assert DETECTION.total_loss(LOSSES, targets(3), torch.float64).dtype is torch.float64


def test_sure_detections_with_an_area_become_targets():
    box, score = [1.0, 2.0, 5.0, 6.0], [0.5, 0.49, 0.9, 0.9]
    found = torch.tensor([[[*box, score[0], 2.0], [*box, score[1], 1.0], [1, 2, 1, 6, score[2], 1], [0.0] * 6]])
    expected = torch.zeros(1, 4, 6)
    expected[0, 0] = torch.tensor([*box, 2.0, 0.0])
    assert torch.equal(DETECTION.pseudo_targets(found), expected)


def test_a_detector_is_judged_by_its_boxes_and_its_losses():
    network, split = small_detector(), Split(images=images(4), targets=targets(4))
    result = evaluate(network, split, DETECTION, batch_size=2, device="cpu", should_stop=lambda: False)
    assert list(result.metrics) == ["map50", "map", "voc_map", "voc_map_2007"]
    with torch.no_grad():
        losses = [DETECTION.loss(network(images(4)[at], targets(2)), targets(2)) for at in (slice(2), slice(2, 4))]
    assert result.loss == pytest.approx(float(sum(losses)) / 2)


@pytest.mark.parametrize(
    ("outputs", "wanted", "said"),
    [
        (torch.zeros(2, 10), targets(), r"returned shape \(2, 10\) for 2 images.*is it a detector"),
        ([{}], targets(), "returned list; a detector must return one tensor of boxes for images"),
        ({}, targets(), "returned nothing by name"),
        ({"loss": torch.zeros(3)}, targets(), "returned loss by name; called with images and targets"),
        (torch.full((2, 1, 6), 0.5), targets(), "labels that are no whole numbers from 0"),
        (LOSSES, torch.zeros(2, dtype=torch.int64), r"type torch.int64 and shape \(\)"),
        (LOSSES, -targets(), "has label -2; classes are numbered from 1"),
    ],
)
def test_what_are_no_boxes_is_said(outputs, wanted, said):
    with pytest.raises(BadInputError, match=said):
        DETECTION.check(outputs, wanted)
