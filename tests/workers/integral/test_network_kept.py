"""Weights that are kept for evaluation: made once, and anew after every change."""

import pytest
import torch
from integral_changes import (
    change_by_hand_and_mode,
    change_by_loading,
    change_by_optimizer,
    change_in_place,
    change_the_size,
)

from workers.integral.sampling import Sampling


@pytest.fixture
def builds(monkeypatch):
    """How often weights were made from coefficients."""
    counted = []
    original = Sampling.__call__

    def counting(self, tensors):
        counted.append(1)
        return original(self, tensors)

    monkeypatch.setattr(Sampling, "__call__", counting)
    return counted


def test_evaluation_makes_the_weights_once(integral, images, builds):
    for _ in range(3):
        integral(images)
    assert len(builds) == 1


def test_training_makes_them_every_time(integral, images, builds):
    integral.train()
    for _ in range(3):
        integral(images)
    assert len(builds) == 3


CHANGES = [change_in_place, change_by_optimizer, change_by_loading, change_by_hand_and_mode, change_the_size]


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_is_noticed_in_evaluation(integral, images, builds, change):
    before = integral(images)
    change(integral)
    after = integral(images)
    assert len(builds) == 2
    assert not torch.allclose(after, before, rtol=1e-3, atol=1e-3)  # rounding is at 1e-6
    assert torch.equal(after, integral.export()(images))


def test_another_type_is_noticed_in_evaluation(integral, images, builds):
    # By the type of what comes out: the values may agree to the last bit.
    integral(images)
    integral.double()
    after = integral(images.double())
    assert len(builds) == 2
    assert after.dtype == torch.float64
    assert torch.equal(after, integral.export()(images.double()))


def test_changed_statistics_are_noticed_too(residual, images):
    before = residual(images)
    buffer = residual.functions.get_buffer("bn1.running_mean")
    buffer.add_(1)
    assert not torch.allclose(residual(images), before)
