"""Folding in stage `prune`."""

import pytest
import torch

from jobs.outcome import Cause
from jobs.spec.allocation import LeastErrorAllocation
from jobs.stages.common import Folding
from jobs.stages.pruning import ChannelPruning, PruneParams
from jobs.stages.scoring import SenseParams
from workers.allocation import folding_errors
from workers.channels import ChannelMap


@pytest.fixture
def fold(bench):
    def fold(network=None, *, clustering="ward", slices="all", repair=None, matched=None, seed=0, **widths):
        procedure = ChannelPruning(
            network=network or bench.convert(),
            widths=bench.widths(0.3, **widths),
            how=Folding(clustering=clustering, slices=slices, repair=repair),
            images=bench.images(matched) if matched else None,
        )
        return bench.key(PruneParams(procedure=procedure, seed=seed))

    return fold


@pytest.mark.parametrize("clustering", ["kmeans", "ward", "cosine"])
def test_the_network_is_as_small_as_was_asked_and_runs(bench, fold, images, clustering):
    measured = bench.measured(fold(clustering=clustering))
    assert abs(measured["compression"] - 0.3) <= 0.01 or "asked 30%" in measured["note"]
    module = bench.network(fold(clustering=clustering))
    assert sum(each.numel() for each in module.parameters()) == measured["params"]
    assert module(images).isfinite().all()


def test_at_compression_0_it_is_the_network(bench, images):
    converted = bench.convert()
    how = Folding(clustering="ward", slices="all", repair="variance")
    procedure = ChannelPruning(network=converted, widths=bench.widths(0.0), how=how)
    with torch.inference_mode():
        expected = bench.network(converted)(images)
        found = bench.network(bench.key(PruneParams(procedure=procedure)))(images)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_each_repair_changes_weights_and_not_their_shapes(bench, fold):
    plain = bench.tensors(fold())
    for repaired in (fold(repair="variance"), fold(matched=32)):
        found = bench.tensors(repaired)
        assert {name: each.shape for name, each in found.items()} == {name: each.shape for name, each in plain.items()}
        assert any(not torch.equal(each, plain[name]) for name, each in found.items())


def test_kept_norms_are_averaged_and_get_another_variance(bench, fold):
    converted = bench.convert(fold=False)
    plain, repaired = (bench.tensors(fold(converted, repair=each)) for each in (None, "variance"))
    changed = {name for name, each in repaired.items() if not torch.equal(each, plain[name])}
    assert changed
    assert all(name.endswith("running_var") for name in changed)


def test_least_error_takes_the_errors_of_free_clusters(bench, fold):
    found = bench.measured(fold(allocation=LeastErrorAllocation(kind="least-error")))["widths"]
    channel_map = ChannelMap.from_json(bench.json(bench.convert(), "channels.json"))
    errors = folding_errors(bench.tensors(bench.convert()), channel_map)
    assert found != bench.measured(fold())["widths"]
    assert {name: len(each) for name, each in errors.items()} == channel_map.widths()


def test_a_network_that_selects_channels_by_index_is_refused(bench, failure):
    arguments = {"growth": 3, "layers": 1, "in_channels": 1, "channel_selection": True}
    network = bench.convert(bench.train(network="densenet", arguments=arguments, recipe=None), fold=False)
    how = Folding(clustering="ward", slices="all")
    procedure = ChannelPruning(network=network, widths=bench.widths(0.3), how=how)
    failed = failure(bench.run(PruneParams(procedure=procedure)))
    assert failed.cause is Cause.BAD_INPUT
    assert "indices can be neither interpolated nor averaged" in failed.message


def test_sensitivity_is_measured_of_folded_networks(bench):
    params = SenseParams(
        network=bench.convert(),
        how=Folding(clustering="ward", slices="all"),
        fractions=(0.5,),
        images=bench.images(60),
        batch_size=32,
        seed=0,
    )
    losses = bench.json(bench.key(params), "losses.json")
    assert {name: list(each) for name, each in losses.items()}["conv1"] == ["4"]
