import math

import pytest
import torch
from torch import nn

from jobs.errors import BadInputError, BadNumericsError, CancelledError
from workers.data import ImageData, Split
from workers.measure import evaluate, evaluate_data
from workers.objectives.classification import objective

CLASSIFICATION = objective()


def never():
    return False


class Flat(nn.Module):
    """The pixels are the logits; counts its forward passes."""

    def __init__(self):
        super().__init__()
        self.num_passes = 0
        self.was_training = None
        self.had_gradients = None

    def forward(self, images):
        self.num_passes += 1
        self.was_training = self.training
        self.had_gradients = torch.is_grad_enabled()
        return images.flatten(1)


def split_of(rows, labels):
    return Split(images=torch.tensor(rows, dtype=torch.float32).view(len(rows), -1, 1, 1), targets=torch.tensor(labels))


# Equal logits over two classes lose log 2; a lead of log 3 for the right class gives it 3/4: log(4/3).
TWO = split_of([[0.0, 0.0], [0.0, math.log(3)], [math.log(3), 0.0]], [0, 1, 1])


def test_accuracy_and_loss_are_those_computed_by_hand():
    scores = evaluate(Flat(), TWO, CLASSIFICATION, batch_size=256, device="cpu", should_stop=never)
    # Right: the tie goes to class 0, which is its label; the second; not the third, which has 1/4: log 4. Class 0 has a
    # hit and a false alarm, class 1 a hit and a miss. Confidence 1/2 and right; 3/4 twice, of which one is right.
    assert scores.metrics == {
        **{"accuracy": 2 / 3, "top5": 1, "f1": 2 / 3},  # exactly: they are fractions of counts
        "calibration_error": pytest.approx(1 / 3 * (1 - 1 / 2) + 2 / 3 * (3 / 4 - 1 / 2)),
    }
    assert scores.loss == pytest.approx((math.log(2) + math.log(4 / 3) + math.log(4)) / 3)
    assert scores.num_samples == 3


def test_batch_size_changes_nothing_but_the_number_of_passes():
    model = Flat()
    small = evaluate(model, TWO, CLASSIFICATION, batch_size=2, device="cpu", should_stop=never)
    assert model.num_passes == 2  # two samples and one
    assert small.loss == pytest.approx(
        evaluate(Flat(), TWO, CLASSIFICATION, batch_size=256, device="cpu", should_stop=never).loss, abs=1e-6
    )


def test_it_runs_in_eval_mode_without_gradients_and_restores_the_flags():
    model = Flat().train()
    evaluate(model, TWO, CLASSIFICATION, batch_size=256, device="cpu", should_stop=never)
    assert (model.was_training, model.had_gradients) == (False, False)
    assert model.training


def test_a_logit_that_is_not_finite_is_bad_numerics_with_its_place():
    split = split_of([[0.0, 1.0], [math.nan, 1.0]], [0, 1])
    with pytest.raises(BadNumericsError, match="in samples 1 to 1"):
        evaluate(Flat(), split, CLASSIFICATION, batch_size=1, device="cpu", should_stop=never)


def test_it_stops_between_batches_when_asked():
    asked = iter([False, True])
    with pytest.raises(CancelledError, match="after 2 of 3 samples"):
        evaluate(Flat(), TWO, CLASSIFICATION, batch_size=2, device="cpu", should_stop=lambda: next(asked))


@pytest.mark.parametrize(
    ("model", "split", "said"),
    [
        (Flat(), split_of([[0.0, 0.0]], [2]), "has 2 outputs, but the data has label 2"),
        (nn.Identity(), TWO, r"returned shape \(3, 2, 1, 1\) for 3 images"),
        (
            Flat(),
            Split(images=torch.zeros(0, 2, 1, 1), targets=torch.zeros(0, dtype=torch.int64)),
            "the split is empty",
        ),
    ],
)
def test_what_is_no_classifier_for_the_data_is_said(model, split, said):
    with pytest.raises(BadInputError, match=said):
        evaluate(model, split, CLASSIFICATION, batch_size=256, device="cpu", should_stop=never)


def evaluated(test_sets=None, **settings):
    """Accuracies of the first logits' classes: `TWO` is the test split, one sample of it the validation split."""
    data = ImageData(
        train=TWO,
        validation=TWO.select(torch.tensor([2])),
        test=TWO,
        input_shape=(2, 1, 1),
        test_sets=test_sets or {},
    )
    found = evaluate_data(Flat(), data, CLASSIFICATION, batch_size=256, device="cpu", should_stop=never, **settings)
    return {name: value for name, value in found.metrics.items() if name.startswith("accuracy")}


def test_one_of_the_splits_is_evaluated_or_the_first_images_of_it():
    assert evaluated() == {"accuracy": 2 / 3}
    assert evaluated(split="validation") == {"accuracy": 0}
    assert evaluated(num_images=2) == {"accuracy": 1}


def test_named_test_sets_are_evaluated_apart_and_together():
    sets = {"easy": TWO.select(torch.tensor([0, 1])), "hard": TWO.select(torch.tensor([2]))}
    assert evaluated(sets) == {"accuracy": 2 / 3, "accuracy/easy": 1, "accuracy/hard": 0}
    assert evaluated(sets, num_images=1) == {"accuracy": 1 / 2, "accuracy/easy": 1, "accuracy/hard": 0}
    assert evaluated(sets, split="validation") == {"accuracy": 0}
