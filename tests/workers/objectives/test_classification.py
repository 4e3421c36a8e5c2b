import math

import pytest
import torch

from jobs.errors import BadInputError
from workers.objectives.classification import OBJECTIVE, RightAnswers, difference

LOGITS = torch.tensor([[0.0, math.log(3)], [math.log(3), 0.0]])  # probabilities 1/4 and 3/4, and the other way round
LABELS = torch.tensor([1, 1])


def test_its_primary_metric_is_accuracy_in_percent_and_more_is_better():
    accuracy = OBJECTIVE.primary
    assert (accuracy.name, accuracy.heading, accuracy.text(0.875)) == ("accuracy", "Accuracy (%)", "87.5")
    assert accuracy.cost(0.9) < accuracy.cost(0.8)


def test_the_share_of_right_answers_is_exactly_the_fraction_of_counts():
    meter = RightAnswers()
    for number in range(3):
        meter.update(torch.tensor([[0.0, 1.0]]), torch.tensor([number % 2]))
    assert float(meter.compute()) == 1 / 3


def test_of_equal_logits_the_first_counts():
    meter = RightAnswers()
    meter.update(torch.zeros(2, 3), torch.tensor([0, 1]))
    assert float(meter.compute()) == 0.5


def test_the_loss_is_cross_entropy_and_its_label_smoothing_a_setting():
    both = math.log(4 / 3), math.log(4)
    assert OBJECTIVE.loss(LOGITS, LABELS).item() == pytest.approx(sum(both) / 2)
    assert OBJECTIVE.loss(LOGITS, LABELS, reduction="sum").item() == pytest.approx(sum(both))
    # A half of every label is spread over both classes: 3/4 of it stays, 1/4 is on the other one.
    smoothed = 0.75 * both[0] + 0.25 * both[1], 0.75 * both[1] + 0.25 * both[0]
    assert OBJECTIVE.loss(LOGITS, LABELS, label_smoothing=0.5).item() == pytest.approx(sum(smoothed) / 2)


def test_the_difference_is_the_divergence_from_the_dense_networks_distribution():
    assert difference(LOGITS, LOGITS).item() == pytest.approx(0, abs=1e-7)
    # Wanted 1/4 and 3/4, predicted 1/2 and 1/2.
    wanted = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert difference(torch.zeros(1, 2), LOGITS[:1]).item() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("outputs", "labels", "said"),
    [
        ({"out": LOGITS}, LABELS, "returned dict; a classifier must return one tensor"),
        (torch.rand(2, 2, 1, 1), LABELS, r"shape \(2, 2, 1, 1\) for 2 images"),
        (torch.rand(3, 2), LABELS, r"shape \(3, 2\) for 2 images"),
        (torch.rand(2, 1), LABELS, "has 1 outputs, but the data has label 1"),
        (LOGITS, torch.rand(2), r"targets of type torch.float32 and shape \(\)"),
        (LOGITS, torch.zeros(2, 3, dtype=torch.int64), r"shape \(3,\) for each image; classification needs"),
    ],
)
def test_what_fits_no_classification_is_said(outputs, labels, said):
    with pytest.raises(BadInputError, match=said):
        OBJECTIVE.check(outputs, labels)
