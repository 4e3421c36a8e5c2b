import sys

import pytest
import torch
from torch.nn import functional

from jobs.artifact import Commit
from jobs.outcome import Cause, Succeeded
from jobs.stages.pruning import PruneParams, WeightPruning
from workers.data import batches
from workers.network import MASKS_FILE
from workers.protocols import protocol


@protocol()
def halve(subject, *, layer):
    with torch.no_grad():
        dict(subject.module.named_parameters())[layer].mul_(0.5)


@protocol()
def draw(subject):
    weight = next(subject.module.parameters())
    with torch.no_grad():
        weight += torch.randn(weight.shape, generator=subject.generator)


@protocol(needs=["images", "dense"])
def distil(subject):
    """One pass over 320 images, towards the dense network's logits."""
    teacher, split = subject.dense(), subject.train()
    assert set(split.targets.tolist()) == set(subject.validation().targets.tolist()) == {-1}
    assert not teacher.training
    optimizer = torch.optim.SGD(subject.module.parameters(), lr=0.02)
    for images, _ in batches(split.select(torch.arange(320)), 32, device=subject.device):
        subject.poll()
        with torch.no_grad():
            wanted = teacher(images)
        optimizer.zero_grad()
        functional.mse_loss(subject.module(images), wanted).backward()
        optimizer.step()
    return 320


@protocol(needs=["labels"])
def bias_of_classes(subject):
    """Labels are there; what they say goes into the classifier's bias."""
    counts = torch.bincount(subject.train().targets, minlength=10) + torch.bincount(subject.validation().targets)
    subject.module.linear.bias.data = counts.float()


@protocol()
def look_without_asking(subject):
    subject.train()


@protocol(needs=["labels"])
def teach_without_asking(subject):
    subject.dense()


@protocol()
def widen(subject):
    subject.module.linear = torch.nn.Linear(3, 10)


@protocol()
def halve_precision(subject):
    subject.module.half()


@protocol()
def claim_training(subject):
    return 100


@protocol()
def break_it(subject):
    subject.module.linear.bias.data.fill_(float("nan"))


def undeclared(subject):
    """Lacks its decorator."""


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """This module, under a name that a sweep can give."""
    monkeypatch.setitem(sys.modules, "own_protocols", sys.modules[__name__])


@pytest.fixture
def pruned(bench):
    return bench.remove(bench.convert(fold=False), 0.5)


def key_of(outcome):
    assert isinstance(outcome, Succeeded), outcome
    return outcome.key


def test_it_changes_the_network_as_its_arguments_say(bench, pruned):
    before = bench.tensors(pruned)
    after = bench.tensors(key_of(bench.apply(pruned, "own_protocols:halve", layer="linear.weight")))
    assert torch.equal(after["linear.weight"], before["linear.weight"] / 2)
    assert all(torch.equal(after[name], before[name]) for name in before if name != "linear.weight")


def test_what_was_measured_stays_and_what_was_not_trained_costs_nothing(bench, pruned):
    key = key_of(bench.apply(pruned, "own_protocols:halve", layer="linear.weight"))
    assert bench.measured(key) == bench.measured(pruned)


def test_distilling_lowers_the_loss_and_counts_the_images(bench, pruned):
    key = key_of(bench.apply(pruned, "own_protocols:distil", needs=["dense", "images"]))
    losses = [bench.measured(bench.evaluate(each))["loss"] for each in (pruned, key)]
    assert losses[1] < losses[0]
    measured = bench.measured(key)
    assert measured["training_macs"] == 3 * 320 * measured["macs"]
    assert 0 < measured["training_epochs"] < 1


def test_labels_are_there_for_one_that_needs_them(bench, pruned):
    key = key_of(bench.apply(pruned, "own_protocols:bias_of_classes", needs=["labels"]))
    bias = bench.tensors(key)["linear.bias"]
    assert bias.min() > 50  # of about 1,300 digits in ten classes


def test_the_seed_draws(bench, pruned):
    keys = [key_of(bench.apply(pruned, "own_protocols:draw", seed=seed)) for seed in (0, 1)]
    first, second = (bench.digests(key)["weights.safetensors"] for key in keys)
    assert first != second
    assert bench.run_again(keys[0]) is Commit.REPEATED


def test_single_weights_that_were_removed_stay_away(bench):
    thinning = WeightPruning(network=bench.train(), scope="global", linear=False, compression=0.5)
    thinned = bench.key(PruneParams(procedure=thinning))
    key = key_of(bench.apply(thinned, "own_protocols:draw"))
    before, masks, after = (bench.tensors(*each) for each in ((thinned,), (thinned, MASKS_FILE), (key,)))
    assert not torch.equal(after["conv1.weight"], before["conv1.weight"])
    assert all((after[name][~mask] == 0).all() for name, mask in masks.items())
    assert bench.digests(key)[MASKS_FILE] == bench.digests(thinned)[MASKS_FILE]


@pytest.mark.parametrize(
    ("own", "needs", "problem"),
    [
        ("look_without_asking", [], "add 'images' to its needs"),
        ("teach_without_asking", ["labels"], "add 'dense' to its needs"),
        ("distil", ["images"], r"needs ['images', 'dense']; the sweep says `needs: ['images']`"),
        ("widen", [], "(linear.weight)"),
        ("halve_precision", [], "shapes or types of tensors changed (bn1.bias, "),
        ("claim_training", [], "trained on 100 images; add 'images' to its needs"),
        ("undeclared", [], "put @workers.protocols.protocol() above"),
        ("no_such", [], "nothing there is called 'no_such'"),
        ("halve", [], "argument 'layer' is missing"),
    ],
)
def test_what_cannot_be_applied_says_why(bench, failure, pruned, own, needs, problem):
    failed = failure(bench.apply(pruned, f"own_protocols:{own}", needs=needs))
    assert failed.cause is Cause.BAD_INPUT
    assert problem in failed.message


def test_numbers_that_are_not_finite_are_refused(bench, failure, pruned):
    failed = failure(bench.apply(pruned, "own_protocols:break_it"))
    assert failed.cause is Cause.BAD_NUMERICS
    assert "linear.bias" in failed.message
