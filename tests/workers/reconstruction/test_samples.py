import pytest
import torch

from jobs.errors import CancelledError
from workers.models import build
from workers.reconstruction import selection


def test_sums_of_a_layer_by_hand(two_layers, compare, cut):
    dense = two_layers([[1], [3]], [[2, 1]])  # x -> (x, 3 x) -> 5 x
    reference, channel_map = compare(dense, [torch.tensor([[[[1.0]]], [[[2.0]]]])])
    kept = {"0": torch.tensor([0])}
    smaller = cut(dense, channel_map, kept)  # x -> x -> 2 x
    sums = reference.sums(smaller, reference.sites[1:], selection(channel_map, kept))[reference.sites[1]]
    # Inputs with a 1 behind them are (1, 1) and (2, 1); errors are 3 and 6; dense outputs 5 and 10.
    assert sums.gram.tolist() == [[[5, 3], [3, 2]]]
    assert sums.moments.tolist() == [[[15], [9]]]
    assert sums.errors.tolist() == [[45]]
    assert sums.energy == 125


def test_the_first_layer_is_compared_with_the_channels_that_are_kept(two_layers, compare, cut):
    dense = two_layers([[1], [3]], [[2, 1]])
    reference, channel_map = compare(dense, [torch.ones(1, 1, 1, 1)])
    kept = {"0": torch.tensor([1])}
    first = reference.sites[0]
    sums = reference.sums(cut(dense, channel_map, kept), [first], selection(channel_map, kept))[first]
    assert (sums.errors.tolist(), sums.energy) == ([[0]], 9)  # the kept channel gives 3


def test_a_network_has_no_error_beside_itself(images, compare, lived):
    dense = lived(build("resnet", {"widths": [4, 6]}))
    reference, _ = compare(dense, images)
    for sums in reference.sums(dense, reference.sites, {}).values():
        assert float(sums.errors.sum()) == 0
        assert sums.energy > 0


def test_so_many_positions_are_drawn_per_image_and_no_more_than_there_are(images, compare, lived):
    dense = lived(build("resnet", {"widths": [4, 6]}))
    reference, _ = compare(dense, images, positions=20)
    rows = {site.layer: int(sums.gram[0, -1, -1]) for site, sums in reference.sums(dense, reference.sites, {}).items()}
    assert rows["conv1"] == 32 * 20
    assert rows["layer2.0.conv1"] == 32 * 16  # 4x4 positions
    assert rows["linear"] == 32


def test_it_stops_on_request(images, compare):
    def poll():
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        compare(build("resnet", {"widths": [4]}).eval(), images, poll=poll)
