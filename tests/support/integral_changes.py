"""Integral networks between their channels, and ways to change one, all of which it has to notice."""

import torch


def fewer(network):
    """A sample less for every group that has one to spare."""
    return {name: max(1, size - 1) for name, size in network.sizes.items()}


def change_in_place(integral):
    with torch.no_grad():
        next(integral.parameters()).mul_(1.5)


def change_by_optimizer(integral):
    optimizer = torch.optim.SGD(integral.parameters(), lr=0.1)
    for parameter in integral.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()


def change_by_loading(integral):
    integral.load_state_dict({name: 0.5 * tensor for name, tensor in integral.state_dict().items()})


def change_by_hand_and_mode(integral):
    next(integral.parameters()).data.mul_(1.5)
    integral.train().eval()


def change_the_size(integral):
    integral.resize({name: max(1, size - 1) for name, size in integral.sizes.items()})
