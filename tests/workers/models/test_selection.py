"""Networks in which every reader of a stream picks its own channels."""

import pytest
import torch

from workers.channels import find_groups, load_resized, select
from workers.models import ChannelSelection, build

NETWORKS = [("preresnet", {"depth": 11}), ("densenet", {"growth": 4, "layers": 2})]
IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def twins(name, arguments):
    """A network without and with selections, of the same weights."""
    plain, selecting = build(name, arguments).eval(), build(name, {**arguments, "channel_selection": True}).eval()
    moved = dict(zip([key for key in selecting.state_dict() if not is_index(key)], plain.state_dict(), strict=True))
    indices = {key: value for key, value in selecting.state_dict().items() if is_index(key)}
    selecting.load_state_dict({**{key: plain.state_dict()[old] for key, old in moved.items()}, **indices})
    return plain, selecting


def is_index(name):
    return name.endswith(".index")


@pytest.mark.parametrize(("name", "arguments"), NETWORKS)
def test_at_first_all_channels_are_selected(name, arguments):
    plain, selecting = twins(name, arguments)
    assert torch.equal(selecting(IMAGES), plain(IMAGES))
    assert not any(map(is_index, plain.state_dict()))


@pytest.mark.parametrize(("name", "arguments"), NETWORKS)
def test_each_reader_has_a_group_and_the_stream_stays(name, arguments):
    selecting = twins(name, arguments)[1]
    found = find_groups(selecting, (3, 8, 8))
    places = [f"{path}.index" for path, each in selecting.named_modules() if isinstance(each, ChannelSelection)]
    assert {group for group in found.widths() if is_index(group)} == set(places)
    assert {refused.reason for refused in found.refused} == {"channels are picked by number"}
    # A block's first norm and convolution go with what it selects, and nothing else does.
    first = places[0].removesuffix("select.index")
    norm, reader = ("bn1", "conv1") if name == "preresnet" else ("bn", "conv")
    (group,) = (index for index, each in enumerate(found.groups) if each.name == places[0])
    owned = {key for key, axes in found.tensors.items() if any(group in axis.present() for axis in axes)}
    norms = {f"{first}{norm}.{each}" for each in ("weight", "bias", "running_mean", "running_var")}
    assert owned == {places[0], f"{first}{reader}.weight", *norms}


def test_two_readers_of_one_stream_lose_different_channels():
    block = {"channel_selection": True}
    model = build("densenet", {"growth": 4, "layers": 2, **block}).eval()
    found = find_groups(model, (3, 8, 8))
    chosen = {"features.block1.0.select.index": [0, 5], "features.block1.1.select.index": [1, 2, 9]}
    load_resized(model, select(model.state_dict(), found, chosen))
    one, other = model.features.block1
    assert (one.select.index.tolist(), other.select.index.tolist()) == ([0, 5], [1, 2, 9])
    assert (one.conv.in_channels, other.conv.in_channels, other.bn.num_features) == (2, 3, 3)
    assert model(IMAGES).shape == (2, 10)


def test_what_is_selected_is_what_the_index_says():
    layer = ChannelSelection(4)
    layer.index = torch.tensor([2, 0])
    assert torch.equal(layer(IMAGES), IMAGES[:, [2, 0]])
