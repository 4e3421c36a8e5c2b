import pytest
import torch
from safetensors.torch import save_file

from jobs.outcome import Cause, Succeeded
from jobs.task import StageKind
from workers.models import build

TINY = {"network": "plain", "arguments": {"widths": [3], "in_channels": 1}}


@pytest.fixture
def params(bench):
    """Those of the network that all tests share, with changes."""
    return lambda **changes: {**bench.tasks[bench.train()].params, **changes}


def test_it_measures_size_and_epochs(bench):
    measured = bench.measured(bench.train())
    assert measured.keys() == {"params", "macs", "size_bytes", "last", "best"}
    # stem 72+16, a block of 8 channels 2 * (576+16), one of 12 with a projection 864+24 + 1296+24 + 96+24, linear 130
    assert measured["params"] == 88 + 1184 + 2328 + 130
    assert measured["last"] == measured["best"]  # there is one epoch
    assert measured["last"]["epoch"] == 1


def test_it_learns(bench):
    assert bench.measured(bench.train())["last"]["validation_accuracy"] > 0.3  # ten classes


def test_its_files_are_a_network(bench, images):
    assert bench.digests(bench.train()).keys() == {"network.json", "weights.safetensors"}
    assert bench.network(bench.train())(images).shape == (4, 10)


def test_another_seed_gives_another_network(own_bench, params):
    keys = [own_bench.key(StageKind.TRAIN, params(**TINY, seed=seed)) for seed in (0, 1)]
    first, second = (own_bench.tensors(key)["linear.weight"] for key in keys)
    assert not torch.equal(first, second)


def test_initial_weights_do_not_depend_on_the_global_generator(own_bench, params):
    key = own_bench.key(StageKind.TRAIN, params(**TINY))
    torch.manual_seed(12345)
    assert own_bench.run_again(key) == "repeated"


def test_a_checkpoint_is_loaded_and_nothing_is_trained(own_bench, params, tmp_path):
    module = build(TINY["network"], TINY["arguments"])
    save_file(module.state_dict(), tmp_path / "net.safetensors")
    outcome = own_bench.run(
        StageKind.TRAIN,
        params(**TINY, weights="fingerprint", train=None, seed=None),
        locations={"weights": str(tmp_path / "net.safetensors")},
    )
    assert isinstance(outcome, Succeeded)
    assert outcome.measurements.keys() == {"params", "macs", "size_bytes"}
    found = own_bench.tensors(outcome.key)
    assert all(torch.equal(found[name], tensor) for name, tensor in module.state_dict().items())


def test_a_checkpoint_of_another_network_is_bad_input(own_bench, params, failure, tmp_path):
    save_file(build("plain", {"widths": [5], "in_channels": 1}).state_dict(), tmp_path / "net.safetensors")
    locations = {"weights": str(tmp_path / "net.safetensors")}
    outcome = own_bench.run(StageKind.TRAIN, params(**TINY, weights="x", train=None), locations=locations)
    assert failure(outcome).cause is Cause.BAD_INPUT
    assert "features.0.weight: has shape (5, 1, 3, 3)" in outcome.message


def test_an_unknown_network_is_bad_input(own_bench, params, failure):
    outcome = own_bench.run(StageKind.TRAIN, params(network="resnett"))
    assert (failure(outcome).cause, "did you mean 'resnet'" in outcome.message) == (Cause.BAD_INPUT, True)


def test_it_stops_when_asked_to(own_bench, params, failure):
    outcome = own_bench.run(StageKind.TRAIN, params(seed=7), should_stop=lambda: True)
    assert failure(outcome).cause is Cause.CANCELLED
    assert not own_bench.store.has(outcome.key)


def test_a_loss_that_explodes_is_bad_numerics(own_bench, params, failure):
    train = {"epochs": 2, "batch_size": 100, "learning_rate": 1e30}
    assert failure(own_bench.run(StageKind.TRAIN, params(**TINY, train=train))).cause is Cause.BAD_NUMERICS
