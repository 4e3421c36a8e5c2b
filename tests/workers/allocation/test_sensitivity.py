import pytest

from workers.allocation import ALLOCATIONS, allocate, loss_curve


def test_between_measured_widths_the_loss_is_interpolated():
    # Of 8 channels 4 stay: 2 more; 2 stay: 3 more, so half a unit per channel, further down too.
    assert loss_curve(8, {4: 2.0, 2: 3.0}).tolist() == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5])


def test_it_never_falls_and_starts_at_nothing():
    assert loss_curve(4, {3: -0.5, 2: 1.0, 1: 0.4}).tolist() == [0, 0, 1, 1]


def test_a_group_of_one_channel_has_nothing_to_lose():
    assert loss_curve(1, {}).tolist() == [0]


def test_channels_go_where_the_loss_grows_least_per_parameter(chain, ask):
    losses = {"0": loss_curve(4, {2: 8.0}), "1": loss_curve(4, {2: 0.2})}
    found = allocate(ALLOCATIONS["sensitivity"], ask(chain, 12 / 28, losses=lambda: losses))
    assert dict(found.widths) == {"0": 4, "1": 2}
