import pytest
import torch
from torch import nn

from jobs.errors import BadInputError, CancelledError
from workers.data import Split
from workers.training.recalibration import recalibrate


def split(count, generator=None):
    images = 3 * torch.randn(count, 2, 4, 4, generator=generator or torch.Generator().manual_seed(0)) + 5
    return Split(images=images, targets=torch.zeros(count, dtype=torch.int64))


def run(model, images, **changes):
    recalibrate(model, images, **{"batch_size": 128, "device": "cpu", "should_stop": lambda: False} | changes)


def test_the_first_norm_gets_the_mean_and_variance_of_the_images():
    norm = nn.BatchNorm2d(2)
    data = split(32)
    run(nn.Sequential(norm), data)
    assert torch.allclose(norm.running_mean, data.images.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, data.images.transpose(0, 1).flatten(1).var(1), rtol=1e-4)


def test_batches_count_alike():
    one, many = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    run(nn.Sequential(one), split(32), batch_size=32)
    run(nn.Sequential(many), split(32), batch_size=8)
    assert torch.allclose(one.running_mean, many.running_mean, atol=1e-5)


def test_what_was_learnt_and_every_flag_stay():
    model = nn.Sequential(nn.BatchNorm2d(2, momentum=0.3), nn.Dropout(0.5), nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    model.train()
    model[3].eval()
    before = {name: each.clone() for name, each in model.named_parameters()}
    run(model, split(16))
    assert all(torch.equal(each, before[name]) for name, each in model.named_parameters())
    assert [each.training for each in model] == [True, True, True, False]
    assert (model[0].momentum, model[3].momentum) == (0.3, 0.1)


def test_a_last_batch_of_one_is_left_out():
    data = split(5)
    data.images[4] = 1e6
    norm = nn.BatchNorm2d(2)
    run(nn.Sequential(norm), data, batch_size=4)
    assert float(norm.running_mean.max()) < 100


def test_a_network_without_norms_is_refused():
    with pytest.raises(BadInputError, match="no batch norm"):
        run(nn.Sequential(nn.Conv2d(2, 3, 1)), split(4))


def test_one_image_is_too_few():
    with pytest.raises(BadInputError, match="at least two"):
        run(nn.Sequential(nn.BatchNorm2d(2)), split(1))


def test_it_stops_on_request():
    with pytest.raises(CancelledError):
        run(nn.Sequential(nn.BatchNorm2d(2)), split(4), should_stop=lambda: True)
