import copy

import pytest
import torch

from jobs.stages.common import Removal
from jobs.stages.scoring import SenseParams
from workers.channels import ChannelMap, load_resized, select
from workers.data import load_dataset
from workers.measure import evaluate
from workers.objectives.classification import objective

CLASSIFICATION = objective()


@pytest.fixture
def sense(bench):
    def sense(how="remove", fractions=(0.5, 0.25)):
        removes, converted = how == "remove", bench.convert(fold=False)
        params = SenseParams(
            network=converted if removes else bench.permute(),
            how=Removal(scores=bench.score(converted)) if removes else bench.sampling(),
            fractions=fractions,
            images=bench.images(60),
            batch_size=32,
            seed=0,
        )
        return bench.key(params)

    return sense


@pytest.mark.parametrize("how", ["remove", "resample"])
def test_every_group_is_cut_to_every_fraction(bench, sense, how):
    losses = bench.json(sense(how), "losses.json")
    widths = {"conv1": 8, "layer1.0.conv1": 8, "layer2.0.conv1": 12, "layer2.0.conv2": 12}
    assert {name: sorted(map(int, each)) for name, each in losses.items()} == {
        name: [width // 4, width // 2] for name, width in widths.items()
    }
    assert bench.measured(sense(how))["networks"] == 8


def test_a_fraction_that_rounds_to_the_whole_width_takes_one_channel(bench, sense):
    losses = bench.json(sense(fractions=(0.98, 1.0)), "losses.json")
    widths = {"conv1": 8, "layer1.0.conv1": 8, "layer2.0.conv1": 12, "layer2.0.conv2": 12}
    assert {name: list(each) for name, each in losses.items()} == {
        name: [str(width - 1)] for name, width in widths.items()
    }


def test_a_loss_is_that_of_the_network_without_these_channels(bench, sense):
    key, converted = sense(), bench.convert(fold=False)
    channel_map = ChannelMap.from_json(bench.json(converted, "channels.json"))
    scores = bench.tensors(bench.score(converted), "scores.safetensors")["layer2.0.conv1"]
    kept = scores.argsort(descending=True, stable=True)[:6].sort().values
    network = copy.deepcopy(bench.network(converted))
    load_resized(network, select(bench.tensors(converted), channel_map, {"layer2.0.conv1": kept}))
    train = load_dataset("digits", None).train
    # Which images: as the stage draws them.
    from jobs.identity import content_key

    seed = int(content_key([0, "images"])[:15], 16)
    images = train.select(torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[:60])
    loss = evaluate(network, images, CLASSIFICATION, batch_size=256, device="cpu", should_stop=lambda: False).loss
    whole = bench.measured(key)["loss"]
    assert bench.json(key, "losses.json")["layer2.0.conv1"]["6"] == pytest.approx(loss - whole, abs=1e-6)
