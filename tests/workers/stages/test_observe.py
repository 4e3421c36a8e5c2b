import pytest
import torch

from jobs.artifact import Manifest
from jobs.outcome import Cause
from jobs.stages.base import ArtifactKey
from jobs.stages.scoring import ObserveParams
from workers.channels import find_groups
from workers.data import load_dataset
from workers.network import NetworkRecipe, network_files
from workers.objectives.classification import objective
from workers.observations import OBSERVATIONS, Batches

CLASSIFICATION = objective()


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_it_leaves_a_value_per_unit_and_says_what_it_saw(bench, observation):
    converted = bench.convert(fold=False)
    key = bench.observe(converted, observation)
    measured, tensors = bench.measured(key), bench.tensors(key, "observation.safetensors")
    assert measured["num_images"] == 8
    widths = {group["name"]: group["width"] for group in bench.measured(converted)["groups"]}
    assert {name: len(values) for name, values in tensors.items()} == {
        f"{statistic}:{name}": width for statistic in measured["statistics"] for name, width in widths.items()
    }


def test_by_default_every_training_image_counts(bench):
    key = bench.observe(bench.convert(fold=False), "activations", None, seed=None)
    train = load_dataset("digits").train
    assert bench.measured(key)["num_images"] == len(train)
    # What the stage saw is what one batch with all training images gives.
    module = bench.network(bench.convert(fold=False))
    whole = Batches(train, CLASSIFICATION, len(train), device=torch.device("cpu"), labelled=False)
    expected = OBSERVATIONS["activations"](module, find_groups(module, (1, 8, 8)), whole)
    found = bench.tensors(key, "observation.safetensors")
    for name, values in expected["l2"].items():
        torch.testing.assert_close(found[f"l2:{name}"], values, rtol=1e-5, atol=1e-6)


def test_the_seed_chooses_the_images(bench):
    converted = bench.convert(fold=False)
    first, second = (
        bench.tensors(bench.observe(converted, "activations", seed=seed), "observation.safetensors") for seed in (0, 1)
    )
    assert not torch.equal(first["mean:conv1"], second["mean:conv1"])


def test_it_stops_on_request(bench, failure):
    params = bench.params(bench.observe(bench.convert(fold=False), "activations"), batch_size=4)
    answers = iter([False, True])  # before it starts, and at the first batch
    outcome = bench.run(params, should_stop=lambda: next(answers))
    assert failure(outcome).cause is Cause.CANCELLED


def test_features_that_are_not_numbers_are_bad_numerics(own_bench, failure):
    broken = own_bench.tensors(own_bench.train())
    broken["bn1.running_mean"][0] = float("nan")
    recipe = NetworkRecipe.from_json(own_bench.store.read(own_bench.train(), "network.json"))
    key = ArtifactKey("d" * 32)
    own_bench.store.commit(
        Manifest(key=key, stage="train", identity={}, measurements={}), network_files(recipe, broken)
    )
    params = ObserveParams(
        network=own_bench.convert(key, fold=False),
        observation="activations",
        images=own_bench.images(4),
        batch_size=4,
        seed=0,
    )
    outcome = own_bench.run(params)
    assert failure(outcome).cause is Cause.BAD_NUMERICS
    assert "mean:conv1" in outcome.message
