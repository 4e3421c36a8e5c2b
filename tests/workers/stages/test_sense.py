import copy

import pytest
import torch

from jobs.task import StageKind
from workers.channels import ChannelMap, load_resized, select
from workers.data import load_dataset
from workers.measure import evaluate

SENSE = {"fractions": [0.5, 0.25, 1.0], "num_images": 60, "batch_size": 32, "seed": 0}


@pytest.fixture
def sense(bench):
    data = {"data": bench.tasks[bench.train()].params["data"]}
    converted = bench.convert(fold=False)

    def sense(how="remove"):
        if how == "remove":
            return bench.key(
                StageKind.SENSE, {**SENSE, **data, "how": how}, network=converted, scores=bench.score(converted)
            )
        params = {**SENSE, **data, "how": how, "partition": "adaptive", "quadrature": "product"}
        return bench.key(StageKind.SENSE, params, network=bench.permute())

    return sense


@pytest.mark.parametrize("how", ["remove", "resample"])
def test_every_group_is_cut_to_every_fraction_but_all_of_it(bench, sense, how):
    losses = bench.json(sense(how), "losses.json")
    widths = {"conv1": 8, "layer1.0.conv1": 8, "layer2.0.conv1": 12, "layer2.0.conv2": 12}
    assert {name: sorted(map(int, each)) for name, each in losses.items()} == {
        name: [width // 4, width // 2] for name, width in widths.items()
    }
    assert bench.measured(sense(how))["networks"] == 8


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
    loss = evaluate(network, images, device="cpu", should_stop=lambda: False).loss
    whole = bench.measured(key)["loss"]
    assert bench.json(key, "losses.json")["layer2.0.conv1"]["6"] == pytest.approx(loss - whole, abs=1e-6)
