from collections import namedtuple

import pytest
import torch
from token_network import Answer
from torchmetrics import MeanSquaredError

from jobs.errors import BadInputError
from jobs.metric import Metric
from jobs.stages.common import ObjectiveParams
from workers.objectives import Objective, check_batch, find_objective, one_tensor, over_samples

RMSE = Metric(name="rmse", label="RMSE", direction="lower")


def objective(**changes) -> Objective:
    parts = {
        "name": "x",
        "metrics": {RMSE: MeanSquaredError},
        "loss": over_samples,
        "difference": min,
        "check": check_batch,
    }
    return Objective(**{**parts, **changes})


def needs_arguments(width):
    return width


def gives_none():
    return None


def with_settings(width):
    return objective(name=f"of {width}")


def test_ours_is_found_by_its_name():
    assert find_objective(ObjectiveParams()).name == "classification"


def test_one_of_the_users_own_gets_its_settings(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").SimpleNamespace(**globals()))
    assert find_objective(ObjectiveParams(name=f"{__name__}:with_settings", settings={"width": 3})).name == "of 3"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clasification", "did you mean 'classification'"),
        ("no_such_module:objective", "no module named 'no_such_module'"),
        (f"{__name__}:needs_arguments", "argument 'width' is missing"),
        (f"{__name__}:gives_none", "gives NoneType; it must give"),
    ],
)
def test_what_is_no_objective_is_said(name, said, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").SimpleNamespace(**globals()))
    with pytest.raises(BadInputError, match=said):
        find_objective(ObjectiveParams(name=name))


def test_the_first_metric_is_the_primary_one():
    other = Metric(name="psnr", label="PSNR", direction="higher", unit="dB")
    assert objective(metrics={RMSE: MeanSquaredError, other: MeanSquaredError}).primary is RMSE


@pytest.mark.parametrize(
    "metrics", [{}, dict.fromkeys((RMSE, Metric(name="rmse", label="r", direction="higher")), MeanSquaredError)]
)
def test_every_metric_has_a_name_of_its_own_and_there_is_one(metrics):
    with pytest.raises(BadInputError, match="give at least one, each name once"):
        objective(metrics=metrics)


def test_losses_of_entries_are_averaged_within_a_sample_and_then_over_samples():
    values = torch.tensor([[1.0, 3.0], [5.0, 5.0]])
    assert (over_samples(values, "mean").item(), over_samples(values, "sum").item()) == (3.5, 7.0)
    assert over_samples(values[:, 0], "sum").item() == 6.0


def test_the_total_loss_has_the_precision_that_is_asked_for():
    def loss(outputs, targets, reduction):
        assert outputs.dtype is targets.dtype is torch.float64
        return over_samples(outputs - targets, reduction)

    total = objective(loss=loss).total_loss(torch.ones(2, 3), torch.zeros(2, 3), torch.float64)
    assert total.item() == 2.0


def test_networks_that_compute_their_losses_are_called_with_targets():
    images, targets = torch.zeros(1, 1, 1, 1), torch.zeros(1, 2)
    assert objective().inputs(images, targets) == (images,)
    computing = objective(difference=None, pseudo_targets=torch.sign)
    assert computing.inputs(images, targets) == (images, targets)


def test_without_labels_a_smaller_network_is_compared_by_difference_or_by_pseudo_targets():
    images, wanted = torch.tensor([[[[1.0]]], [[[3.0]]]]), torch.tensor([[-2.0], [4.0]])
    plain = objective(difference=lambda outputs, wanted: (outputs - wanted).abs().mean())
    assert plain.distance(lambda images: images.flatten(1), images, wanted).item() == 2.0  # |1 + 2|, |3 - 4|

    def losses(images, targets):
        return images.flatten(1) - targets

    computing = objective(
        difference=None, pseudo_targets=torch.sign, loss=lambda outputs, targets: outputs.sum(), check=lambda *_: None
    )
    assert computing.distance(losses, images, wanted).item() == (1 + 1) + (3 - 1)


@pytest.mark.parametrize("both", [{"difference": None}, {"pseudo_targets": torch.sign}])
def test_it_has_one_of_the_two(both):
    with pytest.raises(BadInputError, match="give `difference`, or `pseudo_targets`"):
        objective(**both)


@pytest.mark.parametrize(
    ("outputs", "said"), [([1.0, 2.0], "returned list"), (torch.rand(3, 1), r"returned shape \(3, 1\) for 2 images")]
)
def test_an_output_for_each_target_is_needed(outputs, said):
    with pytest.raises(BadInputError, match=said):
        check_batch(outputs, torch.zeros(2))


def test_targets_are_no_argument_beside_inputs_by_name():
    images, targets = {"left": torch.zeros(1, 2)}, torch.zeros(1, 2)
    assert objective().inputs(images, targets) == images
    with pytest.raises(BadInputError, match=r"gives inputs by name \(left\); give a tuple"):
        objective(difference=None, pseudo_targets=torch.sign).inputs(images, targets)


LOGITS = torch.rand(2, 3)


@pytest.mark.parametrize(
    "outputs",
    [
        LOGITS,
        {"loss": LOGITS[0], "logits": LOGITS},
        {"aux": LOGITS[0], "out": LOGITS},
        Answer(logits=LOGITS, features=LOGITS[0]),
        namedtuple("Outputs", ["aux", "logits"])(LOGITS[0], LOGITS),
        [LOGITS, LOGITS[0]],
        (LOGITS, None),
    ],
)
def test_the_tensor_that_targets_are_compared_with_has_its_place(outputs):
    assert one_tensor(outputs) is LOGITS


@pytest.mark.parametrize(
    ("outputs", "said"),
    [({"scores": LOGITS}, "returned dict of scores;"), (None, "NoneType;"), ((), "tuple;")],
)
def test_what_has_no_such_place_is_named(outputs, said):
    with pytest.raises(BadInputError, match=said):
        one_tensor(outputs)
