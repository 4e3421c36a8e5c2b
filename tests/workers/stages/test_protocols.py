"""Stage `train` with a pruned network for input: it goes on from its weights, or starts anew at its widths."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from jobs.artifact import Manifest
from jobs.outcome import Succeeded
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey
from jobs.stages.pruning import ChannelRewinding, PruneParams
from jobs.stages.training import ScratchBudget
from workers.network import NetworkRecipe, unfold
from workers.training.log import TrainingLog

DIGITS = 1000  # images in the training split
RECIPE = Recipe(epochs=2, batch_size=100, learning_rate=0.02, augment="crop-flip")


def changed(**changes):
    """The recipe of these tests with changes."""
    return Recipe.model_validate({**RECIPE.model_dump(), **changes})


@pytest.fixture
def pruned(bench):
    return bench.remove(bench.convert(fold=False))


@pytest.fixture
def further(bench, pruned):
    return bench.key(bench.further(pruned, RECIPE))


@pytest.fixture
def scratch(bench, pruned):
    return bench.key(bench.scratch(pruned, bench.train(), RECIPE))


def test_what_was_measured_of_the_pruned_network_is_carried_on(bench, pruned, further, scratch):
    before = bench.measured(pruned)
    for key in (further, scratch):
        measured = bench.measured(key)
        assert {name: measured[name] for name in before} == before
        assert measured.keys() - before.keys() == {"last", "best", "precision", "training_epochs", "training_macs"}


def test_the_cost_is_three_forward_passes_of_every_sample_and_adds_up(bench, pruned, further):
    macs = bench.measured(pruned)["macs"]
    cost = {name: bench.measured(further)[name] for name in ("training_epochs", "training_macs")}
    assert cost == {"training_epochs": 2, "training_macs": 3 * macs * DIGITS * 2}
    again = bench.measured(bench.key(bench.further(further, RECIPE)))
    assert (again["training_epochs"], again["training_macs"]) == (4, 2 * cost["training_macs"])
    assert bench.measured(bench.evaluate(further))["training_macs"] == cost["training_macs"]
    # Pre-training is not counted: every method starts from it.
    assert bench.measured(bench.evaluate(pruned))["training_macs"] == 0


def test_fine_tuning_goes_on_from_the_pruned_weights_and_heals(bench, pruned):
    healed = bench.key(bench.further(pruned, changed(augment="none")))
    accuracies = [bench.measured(bench.evaluate(key))["accuracy"] for key in (pruned, healed)]
    assert accuracies[1] > accuracies[0] + 0.1
    assert bench.measured(healed)["last"]["epoch"] == 2


def put_changed(bench, key, change, other="e" * 32):
    """Commits a network artifact under another key, its weights changed."""
    manifest = bench.store.manifest(key)
    files = {name: bench.store.read(key, name) for name in manifest.files}
    files["weights.safetensors"] = save(change(bench.tensors(key)))
    bench.store.commit(Manifest(key=other, stage="prune", identity={}, measurements=manifest.measurements), files)
    return ArtifactKey(other)


def test_scratch_shares_nothing_with_the_pruned_weights_but_the_widths(own_bench):
    pruned, dense = own_bench.remove(own_bench.convert(fold=False)), own_bench.train()
    noisy = put_changed(own_bench, pruned, lambda state: {name: 1 - each for name, each in state.items()})
    keys = [own_bench.key(own_bench.scratch(network, dense, RECIPE)) for network in (pruned, noisy)]
    assert keys[0] != keys[1]  # the widths come from there
    assert own_bench.digests(keys[0]) == own_bench.digests(keys[1])


def test_scratch_starts_as_a_network_built_at_those_widths(own_bench):
    """Cut out of a network of eight channels, it learns what a network built with three learns from the same seed."""
    wide, narrow = (
        own_bench.train(network="plain", recipe=RECIPE, arguments={"widths": [width], "in_channels": 1})
        for width in (8, 3)
    )
    cut = own_bench.remove(own_bench.convert(wide, fold=False), 0.6)
    assert own_bench.measured(cut)["widths"] == {"features.0": 3}
    found = own_bench.key(own_bench.scratch(cut, wide, RECIPE))
    first, second = own_bench.tensors(found), own_bench.tensors(narrow)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.parametrize("scratch", [False, True])
def test_a_folded_network_that_is_trained_has_its_batch_norms_back(bench, scratch):
    folded = bench.resample(bench.permute())
    assert "bn1.weight" not in bench.tensors(folded)
    key = bench.key(bench.scratch(folded, bench.train(), RECIPE) if scratch else bench.further(folded, RECIPE))
    module, measured = bench.network(key), bench.measured(key)
    assert module.bn1.num_features == module.conv1.out_channels == measured["widths"]["conv1"]
    assert measured["params"] == sum(each.numel() for each in module.parameters())
    # As much smaller than the network it came from, both with batch norms.
    assert measured["compression"] == 1 - measured["params"] / bench.measured(bench.train())["params"]
    assert bool(measured["note"]) == (abs(measured["compression"] - 0.3) > 0.01)


@pytest.mark.parametrize("scratch", [False, True])
@pytest.mark.parametrize("note", ["", "asked 57%, reached 57.0%: as it was folded"])
def test_whether_a_target_is_missed_is_told_of_the_network_with_its_norms(own_bench, scratch, note):
    folded = own_bench.resample(own_bench.permute())
    manifest = own_bench.store.manifest(folded)
    files = {name: own_bench.store.read(folded, name) for name in manifest.files}
    measured = {**manifest.measurements, "asked": 0.57, "note": note}
    other = Manifest(key="e" * 32, stage="prune", identity={}, measurements=measured)
    own_bench.store.commit(other, files)
    network = ArtifactKey(other.key)
    params = own_bench.scratch(network, own_bench.train()) if scratch else own_bench.further(network)
    found = own_bench.measured(own_bench.key(params))
    wanted = f"asked 57%, reached {found['compression']:.1%}: its batch norms are back, which the widths were chosen"
    assert found["note"] == f"{wanted} without" + (f" ({note})" if note else "")


def test_a_norm_of_a_layer_that_was_not_measured_stays_folded(bench):
    folded = bench.resample(bench.permute())
    recipe, state = NetworkRecipe.from_json(bench.store.read(folded, "network.json")), bench.tensors(folded)
    (layer, _), *others = recipe.folded
    means, variances = ({layer: torch.full_like(state[f"{layer}.bias"], value)} for value in (3.0, 2.0))
    module, unfolded = unfold(recipe, state, means, variances)
    assert (len(others) > 0, unfolded.folded) == (True, tuple(others))
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module(images), bench.network(folded)(images), rtol=1e-4, atol=1e-4)  # whatever it knows


def test_it_starts_from_what_the_folded_network_computes(bench):
    folded = bench.resample(bench.permute())
    key = bench.key(bench.further(folded, changed(learning_rate=1e-12, augment="none")))
    inputs = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    before, after = bench.network(folded), bench.network(key)
    for module in (before, after):
        module.eval()
    with torch.no_grad():
        wanted = before(inputs)
        assert (after(inputs) - wanted).norm() < 0.1 * wanted.norm()  # statistics of other images than at the start


@pytest.mark.parametrize(
    ("budget", "epochs"),
    [
        (ScratchBudget(), lambda ratio: round(2 * ratio)),
        (ScratchBudget(cap=1.0), lambda ratio: 2),
        (ScratchBudget(fine_tuning_epochs=3), lambda ratio: round(2 * ratio) + 3),
    ],
)
def test_a_budget_of_multiply_accumulates_is_spent_whole(bench, budget, epochs):
    pruned, dense = bench.remove(bench.convert(fold=False), 0.6), bench.train()
    macs = [bench.measured(key)["macs"] for key in (dense, pruned)]
    key = bench.key(bench.scratch(pruned, dense, RECIPE, budget))
    wanted = epochs(macs[0] / macs[1])
    measured = bench.measured(key)
    assert measured["training_epochs"] == measured["last"]["epoch"] == wanted
    assert measured["training_macs"] == 3 * macs[1] * DIGITS * wanted


def test_the_dense_network_can_be_trained_as_long(bench):
    dense = bench.train()
    keys = [
        bench.key(bench.further(dense, RECIPE)),
        bench.key(bench.scratch(dense, dense, RECIPE, ScratchBudget())),
    ]
    for key in keys:
        measured = bench.measured(bench.evaluate(key))
        assert (measured["compression"], measured["training_epochs"]) == (0.0, 2)


def test_rewound_weights_are_the_early_ones_of_the_channels_that_were_kept(bench, pruned):
    untrained = bench.train(recipe=None)
    rewinding = ChannelRewinding(network=untrained, channels=bench.convert(fold=False), pruned=pruned)
    rewound = bench.key(PruneParams(procedure=rewinding))
    assert bench.measured(rewound) == bench.measured(pruned)
    kept = bench.tensors(pruned, "kept.safetensors")["conv1"]
    found, early = bench.tensors(rewound), bench.tensors(untrained)
    assert torch.equal(found["conv1.weight"], early["conv1.weight"][kept])
    assert not torch.equal(found["conv1.weight"], bench.tensors(pruned)["conv1.weight"])


def test_a_rewound_network_knows_how_many_of_its_heads_are_left(own_bench):
    arguments = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 1, "num_heads": 4, "in_chans": 1}
    vit = {"network": "timm:vit_tiny_patch16_224", "arguments": {**arguments, "num_classes": 10}}
    early, trained = own_bench.train(**vit, recipe=None), own_bench.train(**vit)
    converted = own_bench.convert(trained, fold=False)
    pruned = own_bench.remove(converted, 0.3)
    rewinding = ChannelRewinding(network=early, channels=converted, pruned=pruned)
    rewound = own_bench.key(PruneParams(procedure=rewinding))
    assert own_bench.network(rewound).blocks[0].attn.num_heads == own_bench.network(pruned).blocks[0].attn.num_heads < 4
    assert own_bench.measured(own_bench.key(own_bench.further(rewound)))["last"]["epoch"] == 1


def test_the_schedule_goes_on_from_the_epoch_that_was_returned_to(bench, pruned):
    key = bench.key(bench.further(pruned, changed(epochs=4, begin=2)))
    measured = bench.measured(key)
    # The second half of four epochs: a tenth of the learning rate, then a hundredth.
    assert (measured["last"]["epoch"], measured["training_epochs"]) == (4, 2)
    assert measured["last"]["learning_rate"] == pytest.approx(0.02 / 100)


def test_a_training_that_ends_early_has_the_weights_of_that_moment(bench):
    early = bench.train(recipe=changed(schedule="constant", until=1))
    alone = bench.train(recipe=changed(schedule="constant", epochs=1))
    assert bench.digests(early) == bench.digests(alone)


@pytest.mark.parametrize("how", ["further", "scratch"])
def test_lost_in_the_middle_it_ends_with_the_same_artifact(own_bench, lost, lost_at, how):
    pruned, dense = own_bench.remove(own_bench.convert(fold=False)), own_bench.train()
    asked = own_bench.further(pruned, RECIPE) if how == "further" else own_bench.scratch(pruned, dense, RECIPE)
    alone = type(own_bench)(Path(own_bench.store.uri) / "alone")
    for key in (pruned, dense):
        alone.store.commit(
            own_bench.store.manifest(key), {name: own_bench.store.read(key, name) for name in own_bench.digests(key)}
        )
    expected = alone.key(asked)
    with pytest.raises(lost):
        own_bench.run(asked, should_stop=lost_at(16), checkpoint_interval_s=0)
    assert own_bench.store.load_checkpoint(expected)
    counter = lost_at(10**9)
    assert isinstance(own_bench.run(asked, should_stop=counter), Succeeded)
    assert counter.asked < 1 + 2 * 11  # before the stage, and at two epochs of ten batches and a validation
    assert own_bench.digests(expected) == alone.digests(expected)
    assert own_bench.measured(expected) == alone.measured(expected)


def test_the_weights_of_the_best_epoch_are_kept_beside_the_last(own_bench, monkeypatch):
    # Which epoch is best can hang on rounding. Here it is the first, whatever its accuracy.
    monkeypatch.setattr(TrainingLog, "best", property(lambda log: log.epochs[0]))
    pruned = own_bench.remove(own_bench.convert(fold=False))
    both = own_bench.key(own_bench.further(pruned, changed(schedule="constant")))
    first = own_bench.key(own_bench.further(pruned, changed(schedule="constant", epochs=1)))
    found, expected = own_bench.digests(both), own_bench.digests(first)["weights.safetensors"]
    assert found["best.safetensors"] == expected != found["weights.safetensors"]


def test_the_best_epoch_is_evaluated_beside_the_last(bench, pruned):
    key = bench.key(bench.further(pruned, changed(augment="none", epochs=3, learning_rate=0.1)))
    # The weights of the last epoch are ruined by hand, those of the best one stay.
    ruined = put_changed(bench, key, lambda state: {**state, "linear.weight": 0 * state["linear.weight"]})
    alone = put_changed(bench, key, lambda _: bench.tensors(key, "best.safetensors"), other=ArtifactKey("d" * 32))
    evaluated = bench.measured(bench.evaluate(ruined))
    assert evaluated["accuracy_best"] == bench.measured(bench.evaluate(alone))["accuracy"]
    assert evaluated["accuracy_best"] > evaluated["accuracy"] + 0.15  # 0.46, and 0.1 where all images are of one class


def test_without_a_training_the_only_weights_are_the_best(bench, pruned):
    measured = bench.measured(bench.evaluate(pruned))
    assert measured["accuracy_best"] == measured["accuracy"]
