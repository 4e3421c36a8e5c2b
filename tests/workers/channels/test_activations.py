import torch
from torch import nn

from workers.channels import find_groups, live_activations
from workers.measure import peak_memory_bytes


def peak(costs, widths=None):
    return max(cost(widths or {}) for cost in costs)


def test_by_hand():
    module = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.Flatten(), nn.Linear(12, 2))
    costs = live_activations(module, (1, 2, 2), find_groups(module, (1, 2, 2)))
    # Beside the input of 4: first layer and its activation 16 + 16; activation and second layer 16 + 12; then 12 + 2,
    # for flattening makes nothing new.
    assert sorted(cost({}) for cost in costs) == [18, 32, 36]
    # With one channel of the first: 4 + 4, 4 + 12 and 12 + 2.
    assert sorted(cost({"0": 1}) for cost in costs) == [12, 18, 20]


def test_a_shortcut_lives_until_it_is_added():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.first, self.second = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 6, 1), nn.Conv2d(6, 4, 1)

        def forward(self, x):
            x = self.stem(x)
            return x + self.second(self.first(x).relu_())

    module = Block()
    found = find_groups(module, (1, 1, 1))
    costs = live_activations(module, (1, 1, 1), found)
    # Beside the input of 1 the stream, inner channels (in place) and what is added to it: 4 + 6 + 4; then the sum
    # beside the two that are added: 4 + 4 + 4.
    assert peak(costs) == 15
    assert peak(costs, {"first": 1}) == 13


def test_inputs_of_no_weight_are_numbers_per_sample():
    module = nn.Sequential(nn.Conv2d(3, 8, 1))
    (cost,) = live_activations(module, (3, 5, 5), find_groups(module, (3, 5, 5)), weight=4.0)
    assert cost({}) == 4 * (3 + 8) * 25


def test_it_agrees_with_what_is_alive_when_the_network_runs():
    module = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 24, 3), nn.AvgPool2d(2), nn.Conv2d(24, 4, 1))
    found = find_groups(module, (3, 12, 12))
    stored = 4 * sum(each.numel() for each in module.parameters())
    assert stored + peak(live_activations(module, (3, 12, 12), found, weight=4.0)) == peak_memory_bytes(
        module, (3, 12, 12)
    )


def test_the_network_is_not_touched():
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)).train()
    live_activations(module, (1, 2, 2), find_groups(module, (1, 2, 2)))
    assert module.training
    assert torch.equal(module[1].running_mean, torch.zeros(2))
