import pytest
import torch
from sklearn.metrics import confusion_matrix, jaccard_score
from torchmetrics.segmentation import MeanIoU as TheirMeanIoU

from jobs.errors import BadInputError
from workers.objectives._segmentation_metrics import MeanIoU, PixelAccuracy

BOTH = [MeanIoU, PixelAccuracy]


def measure(metric, logits, targets, *, batch_size=1):
    meter = metric()
    for start in range(0, len(logits), batch_size):
        meter.update(logits[start : start + batch_size], targets[start : start + batch_size])
    return float(meter.compute())


def maps(seed, *, num_classes=5):
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(num_classes, (6, 9, 7), generator=generator)
    targets[torch.rand(targets.shape, generator=generator) < 0.1] = 255
    return torch.randn(6, num_classes, 9, 7, generator=generator), targets


def logits_of(predicted, num_classes):
    return torch.nn.functional.one_hot(predicted, num_classes).movedim(-1, 1).float()


def test_both_agree_with_the_confusion_matrix_of_scikit_learn():
    logits, targets = maps(0)
    seen = targets != 255
    matrix = torch.tensor(confusion_matrix(targets[seen], logits.argmax(1)[seen])).double()
    union = matrix.sum(0) + matrix.sum(1) - matrix.diag()
    assert measure(MeanIoU, logits, targets, batch_size=4) == pytest.approx(float((matrix.diag() / union).mean()))
    expected = jaccard_score(targets[seen], logits.argmax(1)[seen], average="macro")
    assert measure(MeanIoU, logits, targets) == pytest.approx(expected)
    assert measure(PixelAccuracy, logits, targets) == pytest.approx(float(matrix.trace() / matrix.sum()))


def test_the_mean_is_that_of_torchmetrics_where_no_pixel_is_ignored():
    logits, targets = maps(1)
    targets = targets.clamp_max(4)
    # Theirs is a mean over images; all pixels as one image are the counts over the whole split.
    theirs = TheirMeanIoU(num_classes=5, input_format="index")
    theirs.update(logits.argmax(1).reshape(1, -1), targets.reshape(1, -1))
    assert measure(MeanIoU, logits, targets) == pytest.approx(float(theirs.compute()), abs=1e-6)


def test_the_mean_by_hand():
    targets, predicted = torch.tensor([[[0, 0, 1, 255]]]), torch.tensor([[[0, 1, 1, 2]]])
    # Class 0: 1 of 2; class 1: 1 of 2; class 2 is predicted at an ignored pixel only, class 3 never.
    assert measure(MeanIoU, logits_of(predicted, 4), targets) == 0.5
    assert measure(PixelAccuracy, logits_of(predicted, 4), targets) == pytest.approx(2 / 3)


def test_masks_of_bytes_count_as_others():
    predicted = torch.full((1, 2, 2), 20)  # 20 * 21 + 20 is more than a byte holds
    assert measure(PixelAccuracy, logits_of(predicted, 21), predicted.to(torch.uint8)) == 1


def test_a_class_that_is_only_predicted_counts_as_missed():
    targets, predicted = torch.tensor([[[0, 0]]]), torch.tensor([[[0, 2]]])
    assert measure(MeanIoU, logits_of(predicted, 3), targets) == 0.25  # of 1/2 and 0


@pytest.mark.parametrize("metric", BOTH)
def test_batches_make_no_difference(metric):
    assert measure(metric, *maps(2), batch_size=1) == measure(metric, *maps(2), batch_size=5)


@pytest.mark.parametrize("metric", BOTH)
def test_what_is_kept_is_the_matrix_alone(metric):
    meter = metric()
    for seed in range(3):
        meter.update(*maps(seed))
    assert meter.counts.shape == (5, 5)
    assert meter.compute().dtype == torch.float64


@pytest.mark.parametrize("metric", BOTH)
def test_ignored_pixels_alone_are_refused(metric):
    with pytest.raises(BadInputError, match="all pixels are ignored"):
        measure(metric, torch.zeros(1, 3, 2, 2), torch.full((1, 2, 2), 255))
