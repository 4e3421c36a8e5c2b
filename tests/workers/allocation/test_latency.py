import pytest
from torch import nn

from workers.allocation import latency_cost
from workers.channels import find_groups
from workers.measure.layers import LayerTime


def test_every_part_grows_with_what_it_depends_on(chain):
    times = {
        "0.weight": LayerTime(fixed=1.0, products=4.0, inputs=3.0, outputs=8.0),
        "1.weight": LayerTime(fixed=0.5, products=16.0, inputs=4.0, outputs=2.0),
    }
    cost = latency_cost(chain, times)
    assert cost({}) == pytest.approx(38.5)
    # The first layer reads an image, which stays: 1 + 4 / 2 + 3 + 8 / 2; the second: 0.5 + 16 / 2 / 4 + 4 / 2 + 2 / 4.
    assert cost({"0": 2, "1": 1}) == pytest.approx(10 + 5.0)


def test_a_layer_without_channels_of_its_own_costs_the_same():
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    time = LayerTime(fixed=0.5, products=1.0, inputs=2.0, outputs=4.0)
    assert latency_cost(find_groups(module, (1, 2, 2)), {"1.weight": time})({}) == 7.5
