import pytest
import torch
from torch import nn

import workers.measure.layers
from jobs.errors import CancelledError
from workers.measure.layers import non_negative_fit, time_layers


@pytest.fixture
def stopwatch(monkeypatch):
    """Passes take 1 s, 2 s per weight, 3 s per number read and 4 s per number written; the network takes 10,000 s."""
    return watch(monkeypatch)


def watch(monkeypatch, *, network=10_000.0, overhead=0.0):

    def seconds(module, images):
        if isinstance(module, nn.Identity):
            return overhead
        if isinstance(module, nn.Sequential):
            return network
        with torch.inference_mode():
            return float(overhead + 1 + 2 * module.weight.numel() + 3 * images.numel() + 4 * module(images).numel())

    monkeypatch.setattr(
        workers.measure.layers, "torch_pass", lambda module, images, runtime: lambda: seconds(module, images)
    )
    monkeypatch.setattr(workers.measure.layers, "time_in_turn", lambda passes, **_: {"": [[passes[""]()]]})


def timed(module, shape):
    return time_layers(module, shape, batch_size=1, device=torch.device("cpu"), should_stop=lambda: False)


def test_the_parts_of_a_layers_time_are_found_again(stopwatch):
    module = nn.Sequential(nn.Conv2d(8, 16, 1, bias=False), nn.ReLU(), nn.Conv2d(16, 8, 1, bias=False))
    found = timed(module, (8, 2, 2))
    first, second = found.layers["0.weight"], found.layers["2.weight"]
    assert (first.fixed, first.products, first.inputs) == pytest.approx((1, 2 * 128, 3 * 32), rel=1e-6)
    # Both take 1 + 256 + 96 + 256 and 1 + 256 + 192 + 128; the rest of 10,000 goes to 64 and 32 numbers written.
    rest = 10_000 - 609 - 577
    assert first.outputs == pytest.approx(256 + rest * 64 / 96)
    assert second.outputs == pytest.approx(128 + rest * 32 / 96)
    assert sum(each.total for each in found.layers.values()) == pytest.approx(found.network_s)


def test_what_a_call_costs_is_no_part_of_a_layer(monkeypatch):
    watch(monkeypatch, overhead=50.0)
    found = timed(nn.Sequential(nn.Conv2d(8, 16, 1, bias=False)), (8, 2, 2))
    layer = found.layers["0.weight"]
    assert (layer.fixed, layer.products, found.overhead_s) == pytest.approx((1, 256, 50), rel=1e-6)
    assert layer.total + found.overhead_s == pytest.approx(10_000)


def test_layers_that_take_longer_alone_are_scaled_to_the_network(monkeypatch):
    watch(monkeypatch, network=(1 + 256 + 96 + 256) / 2)
    layer = timed(nn.Sequential(nn.Conv2d(8, 16, 1, bias=False)), (8, 2, 2)).layers["0.weight"]
    assert (layer.fixed, layer.products, layer.inputs, layer.outputs) == pytest.approx((0.5, 128, 48, 128), rel=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(8, 16, 3, groups=4, padding=1),
        nn.ConvTranspose2d(8, 4, 2, stride=2),
        nn.Conv2d(8, 4, 3, padding="same", dilation=2),
    ],
    ids=["depthwise", "grouped", "transposed", "dilated"],
)
def test_kinds_of_convolutions_are_cut_to_their_kind(stopwatch, layer):
    found = timed(nn.Sequential(layer), (8, 6, 6)).layers["0.weight"]
    assert found.total == pytest.approx(10_000)
    assert (found.inputs == 0) == (layer.groups > 1)


def test_a_linear_layer_on_tokens(stopwatch):
    found = timed(nn.Sequential(nn.Linear(8, 4)), (5, 8)).layers["0.weight"]
    assert found.inputs == pytest.approx(3 * 40)


def test_a_coefficient_below_nothing_is_left_out():
    # By least squares 3 x - 1 y; without the second one 2.5 x is best.
    features = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    assert non_negative_fit(features, torch.tensor([3.0, 2.0], dtype=torch.float64)).tolist() == pytest.approx([2.5, 0])


@pytest.mark.parametrize(
    ("runtime", "layers"),
    [
        ("eager", [nn.Conv2d(1, 4, 1), nn.Flatten(), nn.Linear(16, 2)]),
        pytest.param("onnxruntime", [nn.Conv2d(1, 4, 1)], marks=pytest.mark.slow),  # a graph is made for each width
    ],
)
def test_it_measures_for_real_and_stops_on_request(runtime, layers):
    module, device = nn.Sequential(*layers).eval(), torch.device("cpu")
    found = time_layers(module, (1, 2, 2), batch_size=1, runtime=runtime, device=device, should_stop=lambda: False)
    weights = {name for name, _ in module.named_parameters() if name.endswith("weight")}
    assert found.layers.keys() == weights
    assert sum(each.total for each in found.layers.values()) > 0
    with pytest.raises(CancelledError):
        time_layers(module, (1, 2, 2), batch_size=1, device=device, should_stop=lambda: True)


def test_a_layer_that_gets_no_rows_has_no_time(stopwatch):
    module = nn.Sequential(nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(4, 2))
    module[1].register_forward_hook(lambda _, __, rows: rows[:0])  # as where a detector finds nothing
    assert timed(module, (8, 1, 1)).layers.keys() == {"0.weight"}


class Repeating(nn.Module):
    """Runs one layer on two sizes, on the smaller one twice, and names its input."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(8, 8, 1, bias=False)

    def forward(self, x):
        return self.layer(input=self.layer(self.layer(input=x)[:, :, :1]))


def test_all_calls_of_a_layer_are_added_up(stopwatch):
    layer = timed(nn.Sequential(Repeating()), (8, 2, 2)).layers["0.layer.weight"]
    # 32 numbers are read and written, then twice 16.
    assert (layer.fixed, layer.products, layer.inputs) == pytest.approx((3, 3 * 2 * 64, 3 * 64), rel=1e-6)
    assert layer.total == pytest.approx(10_000)
