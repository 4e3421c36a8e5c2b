"""The loss of a student, by hand: small logits, two classes, formulas written out."""

import math

import pytest
import torch
from small_detectors import images, small_detector, targets
from torch import nn
from torch.nn import functional
from torchmetrics import MeanSquaredError

from jobs.errors import BadInputError
from jobs.metric import Metric
from jobs.spec.distillation import DistillSpec, FeatureSpec
from workers.distillation import Teacher
from workers.execution import InPrecision
from workers.objectives import Objective, classification, detection, segmentation, super_resolution

CLASSIFICATION = classification.objective()


class Saying(nn.Module):
    """Returns what it was made with, whatever it sees, and notes that."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs, self.seen = nn.Parameter(torch.as_tensor(outputs)), []

    def forward(self, inputs):
        self.seen.append((inputs, self.training, torch.is_grad_enabled()))
        return self.outputs * 1.0


def loss_of(outputs, wanted, *, objective=CLASSIFICATION, targets=None, inputs=None, **how):
    """The loss of a student that says `outputs` beside a dense network that says `wanted`."""
    teacher = Teacher(DistillSpec(**how), Saying(wanted), nn.Module(), objective)
    return teacher.loss(
        torch.zeros(1) if inputs is None else inputs, lambda: outputs, lambda x: objective.loss(x, targets)
    )


def test_at_weight_1_it_is_the_softened_divergence_times_the_square_of_the_temperature():
    """At T = 2, p = (3/4, 1/4) and q = (1/2, 1/2)."""
    found = loss_of(torch.zeros(1, 2), [[2 * math.log(3.0), 0.0]], weight=1.0, temperature=2.0)
    assert float(found) == pytest.approx(4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)), rel=1e-6)


def test_between_it_is_the_weighted_sum_with_the_loss_on_the_labels():
    found = loss_of(torch.zeros(1, 2), [[math.log(3.0), 0.0]], targets=torch.tensor([1]), weight=0.25)
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert float(found) == pytest.approx(0.75 * math.log(2) + 0.25 * divergence, rel=1e-6)


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "mixed"])
def test_its_gradient_is_that_of_the_formula(soft):
    """Of the divergence T (q_T - p_T) / n, of the cross-entropy (q - target) / n."""
    generator = torch.Generator().manual_seed(3)
    outputs = torch.randn(5, 4, generator=generator, requires_grad=True)
    wanted = torch.randn(5, 4, generator=generator)
    labels = torch.tensor([0, 3, 1, 1, 2])
    targets = torch.rand(5, 4, generator=generator).softmax(1) if soft else labels
    loss_of(outputs, wanted, targets=targets, weight=0.7, temperature=3.0).backward()
    told = targets if soft else functional.one_hot(labels, 4).float()
    logits = outputs.detach()
    taught = 3 * ((logits / 3).softmax(1) - (wanted / 3).softmax(1))
    assert torch.allclose(outputs.grad, (0.3 * (logits.softmax(1) - told) + 0.7 * taught) / 5, atol=1e-7)


def test_at_weight_1_the_labels_are_not_looked_at():
    teacher = Teacher(DistillSpec(weight=1.0), Saying([[1.0, 0.0]]), nn.Module(), CLASSIFICATION)
    assert float(teacher.loss(torch.zeros(1), lambda: torch.tensor([[1.0, 0.0]]), lambda _: 1 / 0)) == 0


def test_the_dense_network_sees_the_batch_once_in_evaluation_mode_without_gradients():
    dense, batch = Saying([[1.0, 0.0]]).train(), torch.rand(1, 3)
    teacher = Teacher(DistillSpec(weight=1.0), dense, nn.Module(), CLASSIFICATION)
    teacher.loss(batch, lambda: torch.zeros(1, 2, requires_grad=True), lambda _: 1 / 0).backward()
    assert dense.seen == [(batch, False, False)]
    assert dense.outputs.grad is None
    assert teacher.seconds > 0


def test_it_may_compute_in_another_precision():
    dense = nn.Linear(3, 2)
    teacher = Teacher(
        DistillSpec(weight=1.0), dense, nn.Module(), CLASSIFICATION, runner=InPrecision(dense, "bfloat16")
    )
    batch = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    rounded = InPrecision(dense, "bfloat16")(batch)
    assert float(teacher.loss(batch, lambda: rounded, lambda _: 1 / 0)) == 0


class TestOtherObjectives:
    def test_of_super_resolution_it_is_the_error_between_the_images(self):
        objective = super_resolution.objective(scale=2)
        image, wanted = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.25)
        found = loss_of(image, wanted, objective=objective, targets=torch.ones(1, 1, 2, 2), weight=0.4)
        assert float(found) == pytest.approx(0.6 * 1 + 0.4 * 0.25)

    def test_of_segmentation_it_is_the_mean_over_the_pixels_and_the_auxiliary_output_is_left_out(self):
        objective = segmentation.objective(auxiliary_weight=0.5)
        wanted = torch.zeros(1, 2, 1, 2)
        wanted[0, 0, 0, 0] = math.log(3.0)
        outputs = {"out": torch.zeros(1, 2, 1, 2), "aux": torch.ones(1, 2, 1, 2)}
        found = loss_of(outputs, wanted, objective=objective, weight=1.0)
        assert float(found) == pytest.approx((0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2, rel=1e-6)
        softer = loss_of(outputs, wanted, objective=objective, weight=1.0, temperature=4.0)
        assert float(softer) == pytest.approx(
            float(loss_of(outputs["out"][..., 0], wanted[..., 0], weight=1.0, temperature=4.0)) / 2
        )

    def test_of_detectors_outputs_are_not_compared(self):
        with pytest.raises(BadInputError, match=r"set weight: 0, and name layers as distill\.features"):
            loss_of(None, [0.0], objective=detection.objective())
        features = FeatureSpec(layers=("layer",))
        with pytest.raises(BadInputError, match="temperature is for outputs"):
            loss_of(None, [0.0], objective=detection.objective(), weight=0.0, temperature=2.0, features=features)

    def test_of_detectors_features_are_compared_while_the_student_computes_its_losses(self):
        objective, student = detection.objective(), small_detector(widths=[4, 4, 4, 8]).train()
        how = DistillSpec(weight=0.0, features=FeatureSpec(layers=("backbone.layer*",), weight=2.0))
        teacher, own = Teacher(how, small_detector(), student, objective), []

        def loss(losses):
            own.append(objective.loss(losses, targets()))
            return own[0]

        total = teacher.loss(images(), lambda: student(images(), targets()), loss)
        assert 0 < float(total.detach() - own[0].detach()) < 2 * 4

    def test_an_own_one_without_a_temperature_says_so(self):
        metric = Metric(name="rmse", label="RMSE", direction="lower")
        own = Objective(
            name="own",
            metrics={metric: MeanSquaredError},
            loss=functional.mse_loss,
            difference=functional.mse_loss,
            check=lambda outputs, targets: None,
        )
        assert float(loss_of(torch.zeros(1, 2), [[1.0, 1.0]], objective=own, weight=1.0)) == 1
        with pytest.raises(BadInputError, match="objective 'own': distill: argument 'temperature' is not accepted"):
            loss_of(torch.zeros(1, 2), [[1.0, 1.0]], objective=own, temperature=2.0)
