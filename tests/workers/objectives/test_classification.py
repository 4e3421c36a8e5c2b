import math

import pytest
import torch
from sklearn.metrics import f1_score
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error

from jobs.errors import BadInputError
from workers.objectives.classification import (
    CalibrationError,
    FiveAnswers,
    MacroF1,
    RightAnswers,
    difference,
    objective,
)

CLASSIFICATION = objective()

LOGITS = torch.tensor([[0.0, math.log(3)], [math.log(3), 0.0]])  # probabilities 1/4 and 3/4, and the other way round
LABELS = torch.tensor([1, 1])
SOFT = torch.tensor([[0.25, 0.75], [0.5, 0.5]])


def measured(make, *batches):
    """What a meter gives for these batches of logits and targets."""
    meter = make()
    for logits, targets in batches:
        meter.update(logits, targets)
    return float(meter.compute())


def drawn(num_samples, num_classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(num_classes, (num_samples,), generator=generator)
    logits = torch.randn(num_samples, num_classes, generator=generator)
    return 2 * logits + 2 * torch.nn.functional.one_hot(labels, num_classes), labels


def test_its_primary_metric_is_accuracy_in_percent_and_more_is_better():
    accuracy = CLASSIFICATION.primary
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


def test_every_metric_has_a_unit_and_a_direction():
    shown = {metric.name: (metric.heading, metric.direction) for metric in CLASSIFICATION.metrics}
    assert shown == {
        "accuracy": ("Accuracy (%)", "higher"),
        "top5": ("Top-5 accuracy (%)", "higher"),
        "f1": ("F1 (%)", "higher"),
        "calibration_error": ("Calibration error (%)", "lower"),
    }


def test_top_5_is_the_share_of_samples_whose_class_has_one_of_the_five_largest_logits():
    logits = torch.arange(7.0).repeat(3, 1)  # classes 6 to 2 are the five
    assert measured(FiveAnswers, (logits, torch.tensor([6, 2, 1]))) == 2 / 3
    # Of seven equal ones the first five.
    assert measured(FiveAnswers, (torch.zeros(7, 7), torch.arange(7))) == 5 / 7


def test_top_5_of_up_to_five_classes_is_all():
    assert measured(FiveAnswers, (-torch.eye(5), torch.arange(5))) == 1


def test_top_5_is_what_torchmetrics_finds_where_no_logits_are_equal():
    logits, labels = drawn(500, 20)
    theirs = multiclass_accuracy(logits, labels, num_classes=20, top_k=5, average="micro")
    assert measured(FiveAnswers, (logits, labels)) == pytest.approx(float(theirs), abs=1e-6)


def test_f1_is_the_mean_over_classes_and_leaves_out_those_that_do_not_occur():
    # Wanted 0, 0, 1 and predicted 0, 1, 1, of four classes: class 0 has a hit and a miss, 2 / 3, class 1 a hit and a
    # false alarm, 2 / 3; classes 2 and 3 neither.
    logits = torch.eye(4)[[0, 1, 1]]
    assert measured(MacroF1, (logits, torch.tensor([0, 0, 1]))) == 2 / 3


def test_f1_is_scikit_learns_whatever_the_batches():
    logits, labels = drawn(300, 12)
    theirs = f1_score(labels, logits.argmax(1), average="macro")
    assert measured(MacroF1, (logits, labels)) == pytest.approx(theirs, abs=1e-12)
    assert measured(MacroF1, *zip(logits.split(70), labels.split(70), strict=True)) == pytest.approx(theirs, abs=1e-12)


def test_the_calibration_error_is_the_distance_of_confidence_from_accuracy_in_each_bin():
    # Both predictions have a confidence of 3/4, in one bin, and one of them is right: 3/4 - 1/2.
    assert measured(CalibrationError, (LOGITS, LABELS)) == pytest.approx(0.25)
    # One that is sure and right adds nothing, but counts: 2/3 of that.
    sure = torch.tensor([[0.0, 100.0]]), torch.tensor([1])
    assert measured(CalibrationError, (LOGITS, LABELS), sure) == pytest.approx(0.25 * 2 / 3)


def test_logits_between_0_and_1_are_no_probabilities():
    # Of equal logits each class has 1/2, and the first one counts, which is right for one of two.
    assert measured(CalibrationError, (torch.ones(2, 2), torch.tensor([0, 1]))) == pytest.approx(0, abs=1e-12)


def test_the_calibration_error_is_torchmetrics_whatever_the_batches():
    logits, labels = drawn(400, 10)
    theirs = float(multiclass_calibration_error(logits, labels, num_classes=10, n_bins=15))
    assert theirs > 0.01
    assert measured(CalibrationError, (logits, labels)) == pytest.approx(theirs, abs=1e-6)
    batches = zip(logits.split(90), labels.split(90), strict=True)
    assert measured(CalibrationError, *batches) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("make", CLASSIFICATION.metrics.values(), ids=[each.name for each in CLASSIFICATION.metrics])
def test_of_probabilities_the_most_probable_class_counts(make):
    logits, labels = drawn(60, 8)
    soft = 0.6 * torch.nn.functional.one_hot(labels, 8).double() + 0.05
    assert measured(make, (logits, soft)) == measured(make, (logits, labels))


def test_the_loss_of_probabilities_is_their_mean_over_the_classes():
    near, far = math.log(4 / 3), math.log(4)
    # The first image is 1/4 and 3/4, of which the second has the small loss; the other one half and half.
    expected = 0.25 * far + 0.75 * near, 0.5 * near + 0.5 * far
    assert CLASSIFICATION.loss(LOGITS, SOFT.double()).item() == pytest.approx(sum(expected) / 2)
    assert CLASSIFICATION.total_loss(LOGITS.double(), SOFT).item() == pytest.approx(sum(expected))


def test_probabilities_of_one_class_lose_what_the_class_does():
    certain = torch.eye(2)[LABELS]
    for settings in ({}, {"label_smoothing": 0.3}):
        same = CLASSIFICATION.loss(LOGITS, certain, **settings), CLASSIFICATION.loss(LOGITS, LABELS, **settings)
        assert same[0].item() == pytest.approx(same[1].item())


@pytest.mark.parametrize("targets", [LABELS, SOFT, SOFT.half(), torch.full((2, 2), 0.5004)])
def test_classes_and_probabilities_fit_even_with_their_rounding(targets):
    CLASSIFICATION.check(LOGITS, targets)


def test_the_loss_is_cross_entropy_and_its_label_smoothing_a_setting():
    both = math.log(4 / 3), math.log(4)
    assert CLASSIFICATION.loss(LOGITS, LABELS).item() == pytest.approx(sum(both) / 2)
    assert CLASSIFICATION.loss(LOGITS, LABELS, reduction="sum").item() == pytest.approx(sum(both))
    # A half of every label is spread over both classes: 3/4 of it stays, 1/4 is on the other one.
    smoothed = 0.75 * both[0] + 0.25 * both[1], 0.75 * both[1] + 0.25 * both[0]
    assert CLASSIFICATION.loss(LOGITS, LABELS, label_smoothing=0.5).item() == pytest.approx(sum(smoothed) / 2)


def test_the_difference_is_the_divergence_from_the_dense_networks_distribution():
    assert difference(LOGITS, LOGITS).item() == pytest.approx(0, abs=1e-7)
    # Wanted 1/4 and 3/4, predicted 1/2 and 1/2.
    wanted = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert difference(torch.zeros(1, 2), LOGITS[:1]).item() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("outputs", "labels", "said"),
    [
        ({"scores": LOGITS}, LABELS, "returned dict of scores; return one tensor"),
        (torch.rand(2, 2, 1, 1), LABELS, r"shape \(2, 2, 1, 1\) for 2 images"),
        (torch.rand(3, 2), LABELS, r"shape \(3, 2\) for 2 images"),
        (torch.rand(2, 1), LABELS, "has 1 outputs, but the data has label 1"),
        (LOGITS, torch.tensor([-1, 0]), "the data has label -1; classes are numbered from 0"),
        (LOGITS, torch.full((2, 3), 1 / 3), "has 2 outputs, but the data has probabilities of 3 classes"),
        (LOGITS, torch.tensor([[1.5, -0.5], [1, 0]]), "a probability of -0.5; give none below 0"),
        (LOGITS, torch.tensor([[1.0, 0.0], [1, 1]]), "sum to 2; divide those of an image by their sum"),
        (LOGITS, torch.full((2, 2), math.nan), "a probability of nan"),
        (LOGITS, torch.rand(2), r"targets of type torch.float32 and shape \(\) .*: targets\.long\(\), if they are"),
        (LOGITS, torch.zeros(2, 3, dtype=torch.int64), r"shape \(3,\) for each image; .*: targets\.argmax\(1\), if"),
        (LOGITS, torch.zeros(2, dtype=torch.bool), r"type torch\.bool .*: targets\.long\(\)"),
    ],
)
def test_what_fits_no_classification_is_said(outputs, labels, said):
    with pytest.raises(BadInputError, match=said):
        CLASSIFICATION.check(outputs, labels)
