import pytest
import torch

from workers.checkpoints import UnfitProgressError, optimizer_tensors, restore_optimizer

MAKERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.1),
}


def two_parameters():
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(2, 3, 4, 4, generator=generator).to(memory_format=torch.channels_last)
    return [weight.requires_grad_(), torch.rand(5, generator=generator).requires_grad_()]


def step(optimizer, parameters):
    optimizer.zero_grad()
    sum((parameter**3).sum() for parameter in parameters).backward()
    optimizer.step()


@pytest.mark.parametrize("name", MAKERS)
def test_a_restored_optimizer_takes_the_same_steps(name):
    parameters = two_parameters()
    optimizer = MAKERS[name](parameters)
    step(optimizer, parameters)
    copies = [parameter.detach().clone().requires_grad_() for parameter in parameters]
    restored = MAKERS[name](copies)
    # As it comes from a file: contiguous.
    restore_optimizer(restored, {key: each.contiguous() for key, each in optimizer_tensors(optimizer).items()})
    for _ in range(3):
        step(optimizer, parameters)
        step(restored, copies)
    assert all(torch.equal(left, right) for left, right in zip(parameters, copies, strict=True))


def test_moments_lie_in_memory_as_their_parameters_do():
    parameters = two_parameters()
    optimizer = MAKERS["adam"](parameters)
    step(optimizer, parameters)
    restored = MAKERS["adam"](parameters)
    restore_optimizer(restored, {key: each.contiguous() for key, each in optimizer_tensors(optimizer).items()})
    assert restored.state[parameters[0]]["exp_avg"].stride() == parameters[0].stride()


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"0.momentum_buffer": torch.zeros(2, 3, 4, 4), "2.momentum_buffer": torch.zeros(5)}, "there are 2 parameters"),
        (
            {"0.momentum_buffer": torch.zeros(2, 3, 4, 4), "1.momentum_buffer": torch.zeros(6)},
            r"as \(6,\); \(5,\) fits",
        ),
        ({"momentum": torch.zeros(5)}, "has 'momentum'"),
    ],
)
def test_memory_of_other_parameters_is_refused_and_nothing_changed(tensors, said):
    optimizer = MAKERS["momentum"](two_parameters())
    with pytest.raises(UnfitProgressError, match=said):
        restore_optimizer(optimizer, tensors)
    assert optimizer_tensors(optimizer) == {}
