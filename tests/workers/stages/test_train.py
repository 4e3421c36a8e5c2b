import pickle
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from jobs.outcome import Cause, Succeeded
from jobs.spec.inputs import TensorSpec
from jobs.spec.training import Recipe
from jobs.task import Locations
from jobs.weights import CheckpointReading
from workers.models import build

TINY = {"network": "plain", "arguments": {"widths": [3], "in_channels": 1}}


def test_it_measures_size_and_epochs(bench):
    measured = bench.measured(bench.train())
    assert measured.keys() == {"params", "macs", "size_bytes", "last", "best", "precision"}
    # stem 72+16, a block of 8 channels 2 * (576+16), one of 12 with a projection 864+24 + 1296+24 + 96+24, linear 130
    assert measured["params"] == 88 + 1184 + 2328 + 130
    assert measured["last"] == measured["best"]  # there is one epoch
    assert measured["last"]["epoch"] == 1


def test_it_learns(bench):
    assert bench.measured(bench.train())["last"]["validation_accuracy"] > 0.2  # ten classes


def test_its_files_are_a_network(bench, images):
    digests = bench.digests(bench.train())
    assert digests.keys() == {"network.json", "weights.safetensors", "best.safetensors"}
    assert digests["weights.safetensors"] == digests["best.safetensors"]  # there is one epoch; the store keeps one file
    assert bench.network(bench.train())(images).shape == (4, 10)


def test_it_tells_its_precision_and_its_speed_and_keeps_the_average(own_bench):
    recipe = Recipe(epochs=3, batch_size=64, learning_rate=5e-4, precision="bfloat16", ema=0.5, patience=1)
    key = own_bench.train(**TINY, recipe=recipe)
    assert own_bench.measured(key)["precision"] == "bfloat16"
    assert own_bench.store.manifest(key).timings.keys() == {"samples_per_s", "data_wait_s"}
    assert "ema.safetensors" in own_bench.digests(key)
    evaluated = own_bench.measured(own_bench.evaluate(key, precision="bfloat16"))
    assert 0 < evaluated["accuracy_ema"] < 1
    assert evaluated["precision"] == "bfloat16"
    assert 1e-5 < evaluated["precision_difference"] < 0.1  # a bfloat16 has eight bits


def test_it_validates_in_batches_of_the_size_that_the_task_is_given(own_bench, evaluated):
    outcome = own_bench.run(own_bench.model(**TINY), locations=Locations(evaluation_batch_size=20))
    assert isinstance(outcome, Succeeded)
    assert max(evaluated) == 20


def test_another_seed_gives_another_network(own_bench):
    keys = [own_bench.train(**TINY, seed=seed) for seed in (0, 1)]
    first, second = (own_bench.tensors(key)["linear.weight"] for key in keys)
    assert not torch.equal(first, second)


def test_initial_weights_do_not_depend_on_the_global_generator(own_bench):
    key = own_bench.train(**TINY)
    torch.manual_seed(12345)
    assert own_bench.run_again(key) == "repeated"


def test_a_checkpoint_is_loaded_and_nothing_is_trained(own_bench, tmp_path):
    module = build(TINY["network"], TINY["arguments"])
    save_file(module.state_dict(), tmp_path / "net.safetensors")
    outcome = own_bench.run(
        own_bench.model(**TINY, weights="fingerprint", recipe=None, seed=None),
        locations=Locations(weights=str(tmp_path / "net.safetensors")),
    )
    assert isinstance(outcome, Succeeded)
    assert outcome.measurements.keys() == {"params", "macs", "size_bytes", "weights_layout"}
    assert outcome.measurements["weights_layout"] == "at the top of the file, float32"
    found = own_bench.tensors(outcome.key)
    assert all(torch.equal(found[name], tensor) for name, tensor in module.state_dict().items())


def test_a_training_starts_from_given_weights_and_a_fresh_head_is_listed(own_bench, tmp_path):
    donor = build(TINY["network"], {**TINY["arguments"], "num_classes": 7})
    save_file(donor.state_dict(), tmp_path / "net.safetensors")
    recipe = Recipe(epochs=1, batch_size=1024, learning_rate=1e-9, momentum=0.0, weight_decay=0.0)
    asked = own_bench.model(
        **TINY, weights="fingerprint", reading=CheckpointReading(replace_head=True), recipe=recipe, seed=1
    )
    outcome = own_bench.run(asked, locations=Locations(weights=str(tmp_path / "net.safetensors")))
    assert isinstance(outcome, Succeeded), outcome
    assert outcome.measurements["fresh_layers"] == ["linear"]
    assert outcome.measurements["last"]["epoch"] == 1
    found = own_bench.tensors(outcome.key)
    torch.testing.assert_close(found["features.0.weight"], donor.state_dict()["features.0.weight"], atol=1e-6, rtol=0)
    assert found["linear.weight"].shape[0] == 10


def test_a_checkpoint_of_another_network_is_bad_input(own_bench, failure, tmp_path):
    save_file(build("plain", {"widths": [5], "in_channels": 1}).state_dict(), tmp_path / "net.safetensors")
    locations = Locations(weights=str(tmp_path / "net.safetensors"))
    outcome = own_bench.run(own_bench.model(**TINY, weights="x", recipe=None), locations=locations)
    assert failure(outcome).cause is Cause.BAD_INPUT
    assert "features.0.weight: has shape (5, 1, 3, 3)" in outcome.message


def test_an_unknown_network_is_bad_input(own_bench, failure):
    outcome = own_bench.run(own_bench.model(network="resnett"))
    assert (failure(outcome).cause, "did you mean 'resnet'" in outcome.message) == (Cause.BAD_INPUT, True)


def test_it_stops_when_asked_to(own_bench, failure):
    outcome = own_bench.run(own_bench.model(seed=7), should_stop=lambda: True)
    assert failure(outcome).cause is Cause.CANCELLED
    assert not own_bench.store.has(outcome.key)


def test_a_loss_that_explodes_is_bad_numerics(own_bench, failure):
    recipe = Recipe(epochs=2, batch_size=100, learning_rate=1e30)
    assert failure(own_bench.run(own_bench.model(**TINY, recipe=recipe))).cause is Cause.BAD_NUMERICS


def test_lost_in_the_middle_it_ends_with_the_same_artifact(own_bench, lost, lost_at):
    recipe = Recipe(epochs=3, batch_size=100, learning_rate=0.05, augment="crop-flip")
    asked = own_bench.model(**TINY, recipe=recipe)
    expected = type(own_bench)(Path(own_bench.store.uri) / "alone")
    key = expected.key(asked)
    with pytest.raises(lost):
        own_bench.run(asked, should_stop=lost_at(18), checkpoint_interval_s=0)
    assert own_bench.store.load_checkpoint(key)
    counter = lost_at(10**9)
    assert isinstance(own_bench.run(asked, should_stop=counter), Succeeded)
    assert counter.asked < 1 + 3 * 11  # before the stage, and at three epochs of ten batches and a validation
    assert own_bench.digests(key) == expected.digests(key)
    assert own_bench.measured(key) == expected.measured(key)
    assert own_bench.store.load_checkpoint(key) is None


def test_its_log_tells_the_epochs(own_bench):
    key = own_bench.train(**TINY, seed=4)
    (log,) = Path(own_bench.store.uri, "logs", key).glob("*.log")
    assert "epoch 1: {'learning_rate'" in log.read_text()


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_hostile_checkpoint_of_the_users_is_bad_input_and_not_run(own_bench, failure, tmp_path):
    (tmp_path / "net.pt").write_bytes(pickle.dumps(Hostile(tmp_path / "run"), protocol=2))
    locations = Locations(weights=str(tmp_path / "net.pt"))
    outcome = own_bench.run(own_bench.model(**TINY, weights="x", recipe=None), locations=locations)
    assert failure(outcome).cause is Cause.BAD_INPUT
    assert "could run code; only tensors are loaded" in outcome.message
    assert not (tmp_path / "run").exists()


def test_hostile_progress_in_the_store_is_ignored_and_not_run(own_bench, tmp_path):
    asked = own_bench.model(**TINY, seed=5)
    key = own_bench.key(asked)
    other = type(own_bench)(tmp_path / "other")
    other.store.save_checkpoint(key, pickle.dumps(Hostile(tmp_path / "run")))
    assert other.key(asked) == key
    assert other.digests(key) == own_bench.digests(key)
    assert not (tmp_path / "run").exists()


def test_inputs_that_the_data_does_not_give_are_refused(own_bench, failure):
    outcome = own_bench.run(own_bench.model(**TINY, inputs=(TensorSpec(shape=(1, 8, 8)), TensorSpec(shape=(4,)))))
    assert failure(outcome).cause is Cause.BAD_INPUT
    assert (
        "says 2 inputs (shape (1, 8, 8); shape (4,)), and a sample of the data has shape (1, 8, 8)" in outcome.message
    )


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"network": "plain", "arguments": {"widths": [3]}}, r"of shape \(1, 8, 8\): .*expected input.* 3 channels"),
        (
            {"network": "obstacle_networks:Comparing", "arguments": {}},
            "missing 1 required positional argument: 'other'",
        ),
    ],
)
def test_a_network_that_does_not_take_what_the_data_gives_is_bad_input(own_bench, failure, network, said, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    outcome = own_bench.run(own_bench.model(**network))
    assert failure(outcome).cause is Cause.BAD_INPUT
    assert re.search(said, outcome.message)
    assert "give the network arguments that fit (in_channels, ...)" in outcome.message
