import sys
import types
from dataclasses import replace
from importlib.machinery import ModuleSpec

import pytest

from jobs.outcome import Cause
from jobs.spec.allocation import (
    BestScoreAllocation,
    GlobalAllocation,
    IsomorphicAllocation,
    OwnAllocation,
    SensitivityAllocation,
    TemplateAllocation,
    UniformAllocation,
)
from jobs.stages.common import DesignInput, FollowedDesigns, Removal
from jobs.stages.scoring import ProfileParams, SenseParams
from workers.allocation import ALLOCATIONS, AllocationProblem, allocate, allocator
from workers.channels import ChannelMap, MacCount, ParameterCount

SENSITIVITY = SensitivityAllocation(kind="sensitivity")


@pytest.fixture
def converted(bench):
    return bench.convert(fold=False)


@pytest.fixture
def prune(bench, converted):
    def prune(allocation, compression=0.3, **widths):
        return bench.run(bench.removal(converted, compression, allocation=allocation, **widths))

    return prune


@pytest.fixture
def measured(bench, prune):
    def measured(*arguments, **named):
        outcome = prune(*arguments, **named)
        assert not hasattr(outcome, "cause"), outcome
        return bench.measured(outcome.key)

    return measured


@pytest.fixture
def profile(bench, converted):
    return bench.key(ProfileParams(network=converted, batch_size=2))


@pytest.mark.parametrize(
    "allocation",
    [GlobalAllocation(kind="global", floor=0.25), IsomorphicAllocation(kind="isomorphic", floor=0.25)],
    ids=lambda allocation: allocation.kind,
)
def test_scores_choose_widths(measured, allocation):
    found = measured(allocation)
    assert found["compression"] == pytest.approx(0.3, abs=0.02)
    assert all(width >= full / 4 for width, full in zip(found["widths"].values(), (8, 8, 12, 12), strict=True))


def test_another_target_is_reached_and_reported(bench, converted, measured):
    found = measured(GlobalAllocation(kind="global", floor=0.0), target="macs")
    count = MacCount(ChannelMap.from_json(bench.json(converted, "channels.json")))
    assert found["reached"] == pytest.approx(1 - found["macs"] / count({}))
    assert found["reached"] == pytest.approx(0.3, abs=0.02)
    assert found["compression"] == pytest.approx(1 - found["params"] / bench.measured(converted)["params"])


def test_latency_is_reached_as_profiled_and_reported(bench, measured, profile):
    found = measured(UniformAllocation(), target="latency", compression=0.1, profile=profile)
    record = bench.json(profile, "profile.json")
    total = record["overhead_s"] + sum(sum(layer.values()) for layer in record["layers"].values())
    assert found["latency_s"] == pytest.approx((1 - found["reached"]) * total)
    assert found["reached"] > 0.05


def test_a_profile_knows_its_layers_and_its_device(bench, profile):
    record = bench.json(profile, "profile.json")
    assert {"conv1.weight", "layer2.0.shortcut.0.weight", "linear.weight"} <= record["layers"].keys()
    assert (record["device"], record["network_s"] > 0) == ("cpu", True)
    assert bench.measured(profile) == {"layers": len(record["layers"])}


def test_the_best_score_keeps_to_all_limits(bench, converted, measured, profile):
    limits = BestScoreAllocation(kind="best-score", macs=0.6, latency=0.95, memory=0.9, multiple=2, floor=0.1)
    found = measured(limits, compression=0.4, memory_batch_size=2, profile=profile)
    whole = bench.measured(converted)
    assert found["compression"] >= 0.4
    assert found["macs"] <= 0.6 * whole["macs"]
    assert all(width % 2 == 0 for width in found["widths"].values())


def test_losses_choose_widths(bench, converted, measured):
    sensing = SenseParams(
        network=converted,
        how=Removal(scores=bench.score(converted)),
        fractions=(0.5,),
        images=bench.images(20),
        batch_size=32,
        seed=0,
    )
    assert measured(SENSITIVITY, losses=bench.key(sensing))["compression"] == pytest.approx(0.3, abs=0.02)


def test_a_design_leads_another_network(bench, converted, measured):
    design = bench.remove(converted, 0.5)
    found = measured(FollowedDesigns(designs=(DesignInput(network=design, channels=converted),)))
    assert found["compression"] == pytest.approx(0.3, abs=0.02)


def test_tuning_and_pruning_choose_the_same_widths(bench):
    permuted, allocation = bench.permute(), TemplateAllocation(kind="template", fractions=(1.0, 0.4))
    widths = bench.widths(0.3, allocation=allocation)
    tuned = bench.key(replace(bench.tuning(permuted), widths=widths))
    pruned = bench.resample(permuted, tuned=tuned, allocation=allocation)
    channel_map = ChannelMap.from_json(bench.json(permuted, "channels.json"))
    problem = AllocationProblem(channel_map=channel_map, target=0.3, cost=ParameterCount(channel_map))
    expected = allocate(ALLOCATIONS["template"], problem, {"fractions": [1.0, 0.4]}).widths
    assert bench.measured(pruned)["widths"] == expected


def test_what_is_missing_is_named(prune, failure):
    outcome = failure(prune(SENSITIVITY))
    assert outcome.cause is Cause.BAD_INPUT
    assert "uses losses" in outcome.message


def test_ones_own_has_to_need_what_the_sweep_says(bench, converted, failure, monkeypatch):
    module = types.ModuleType("own_allocations")
    module.keep_all = allocator(needs=["losses"])(lambda problem: problem.channel_map.widths())
    module.__spec__ = ModuleSpec("own_allocations", None)
    monkeypatch.setitem(sys.modules, "own_allocations", module)
    own = OwnAllocation(kind="own", choose="own_allocations:keep_all")
    outcome = failure(bench.run(bench.removal(converted, 0.0, allocation=own)))
    assert "needs ['losses']; the sweep says `needs: []`" in outcome.message
