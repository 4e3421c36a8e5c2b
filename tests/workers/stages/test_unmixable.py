"""Channels that can be removed but not mixed into fewer, in all stages that mix some."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.outcome import Cause
from jobs.spec.allocation import PredefinedAllocation, SensitivityAllocation
from jobs.stages.common import Folding, Removal
from jobs.stages.pruning import ChannelPruning, PruneParams
from jobs.stages.scoring import SenseParams

FOLDING = Folding(clustering="ward", slices="all", repair="variance")
SENSITIVITY = SensitivityAllocation(kind="sensitivity", fractions=(0.5,))
WHY = "aten.matmul.default sums over its channels without a weight"


@pytest.fixture
def converted(own_bench, monkeypatch):
    """A network whose 8 queries and keys are multiplied, with two further groups."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    from obstacle_networks import Attending

    return own_bench.convert(own_bench.put("obstacle_networks:Attending", Attending().state_dict()), fold=False)


@pytest.fixture
def fold(own_bench, converted):
    def fold(compression=0.1, **widths):
        procedure = ChannelPruning(network=converted, widths=own_bench.widths(compression, **widths), how=FOLDING)
        return own_bench.run(PruneParams(procedure=procedure, seed=0))

    return fold


def test_they_stay_whole_however_channels_are_mixed(own_bench, converted, fold):
    permuted = own_bench.permute(converted)
    tuned = own_bench.tune(permuted, 0.1)
    trained = own_bench.train_integral(permuted)
    for key in (
        fold().key,
        own_bench.resample(permuted, 0.1),
        own_bench.resample(permuted, 0.1, tuned=tuned),
        own_bench.resample(trained, 0.1, sampling=("uniform", "means")),
    ):
        widths = own_bench.measured(key)["widths"]
        assert widths["qkv"] == 8
        assert widths["mix"] < 6
        own_bench.evaluate(key)


def test_they_can_be_removed(own_bench, converted):
    assert own_bench.measured(own_bench.remove(converted, 0.3))["widths"]["qkv"] < 8


def test_what_is_out_of_reach_says_why(fold, failure):
    failed = failure(fold(0.6))
    assert failed.cause is Cause.BAD_INPUT
    assert f"kept whole: qkv ({WHY})" in failed.message


def test_predefined_widths_may_not_mix_them(fold, failure):
    failed = failure(fold(allocation=PredefinedAllocation(kind="predefined", widths={"qkv": 4}, compression=0.1)))
    assert failed.cause is Cause.BAD_INPUT
    assert f"leave 4 of 8 channels of 'qkv', and merging channels ({WHY}) 8; change the widths" in failed.message


def test_no_loss_is_measured_with_fewer_of_them(own_bench, converted, fold):
    sensing = SenseParams(
        network=converted, how=FOLDING, fractions=(0.5,), images=own_bench.images(20), batch_size=32, seed=0
    )
    losses = own_bench.key(sensing)
    assert {name: list(each) for name, each in own_bench.json(losses, "losses.json").items()} == {
        "stem": ["1"],
        "qkv": [],
        "mix": ["3"],
    }
    assert own_bench.measured(fold(allocation=SENSITIVITY, losses=losses).key)["widths"]["qkv"] == 8
    removing = replace(sensing, how=Removal(scores=own_bench.score(converted)))
    assert own_bench.json(own_bench.key(removing), "losses.json")["qkv"].keys() == {"4"}
