import pytest

from jobs.outcome import Cause
from jobs.task import StageKind
from workers.allocation import ALLOCATIONS, Question, allocate
from workers.channels import ChannelMap, MacCount, ParameterCount


@pytest.fixture
def converted(bench):
    return bench.convert(fold=False)


@pytest.fixture
def prune(bench, converted):
    def prune(allocation, compression=0.3, target=None, settings=None, **inputs):
        params = {
            "how": "remove",
            "allocation": {"kind": allocation, "settings": settings or {}},
            "compression": compression,
            **({"target": target} if target else {}),
        }
        return bench.run(StageKind.PRUNE, params, network=converted, scores=bench.score(converted), **inputs)

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
    return bench.key(StageKind.PROFILE, {"batch_size": 2}, network=converted)


@pytest.mark.parametrize("allocation", ["global", "isomorphic"])
def test_scores_choose_widths(measured, allocation):
    found = measured(allocation, settings={"floor": 0.25})
    assert found["compression"] == pytest.approx(0.3, abs=0.02)
    assert all(width >= full / 4 for width, full in zip(found["widths"].values(), (8, 8, 12, 12), strict=True))


def test_another_target_is_reached_and_reported(bench, converted, measured):
    found = measured("global", target="macs", settings={"floor": 0.0})
    count = MacCount(ChannelMap.from_json(bench.json(converted, "channels.json")))
    assert found["reached"] == pytest.approx(1 - found["macs"] / count({}))
    assert found["reached"] == pytest.approx(0.3, abs=0.02)
    assert found["compression"] == pytest.approx(1 - found["params"] / bench.measured(converted)["params"])


def test_latency_is_reached_as_profiled_and_reported(bench, measured, profile):
    found = measured("uniform", target="latency", compression=0.1, profile=profile)
    total = sum(sum(layer.values()) for layer in bench.json(profile, "profile.json")["layers"].values())
    assert found["latency_s"] == pytest.approx((1 - found["reached"]) * total)
    assert found["reached"] > 0.05


def test_a_profile_knows_its_layers_and_its_device(bench, profile):
    record = bench.json(profile, "profile.json")
    assert {"conv1.weight", "layer2.0.shortcut.0.weight", "linear.weight"} <= record["layers"].keys()
    assert (record["device"], record["network_s"] > 0) == ("cpu", True)
    assert bench.measured(profile) == {"layers": len(record["layers"])}


def test_the_best_score_keeps_to_all_limits(bench, converted, measured, profile):
    settings = {"macs": 0.6, "latency": 0.95, "memory": 0.9, "batch_size": 2, "multiple": 2, "floor": 0.1}
    found = measured("best-score", compression=0.4, settings=settings, profile=profile)
    whole = bench.measured(converted)
    assert found["compression"] >= 0.4
    assert found["macs"] <= 0.6 * whole["macs"]
    assert all(width % 2 == 0 for width in found["widths"].values())


def test_losses_choose_widths(bench, converted, measured):
    params = {
        "how": "remove",
        "fractions": [0.5],
        "num_images": 20,
        "batch_size": 32,
        "data": bench.tasks[bench.train()].params["data"],
        "seed": 0,
    }
    sensed = bench.key(StageKind.SENSE, params, network=converted, scores=bench.score(converted))
    assert measured("sensitivity", losses=sensed)["compression"] == pytest.approx(0.3, abs=0.02)


def test_a_design_leads_another_network(bench, converted, measured):
    design = bench.remove(converted, 0.5)
    found = measured("guided", design0=design, design0_channels=converted)
    assert found["compression"] == pytest.approx(0.3, abs=0.02)


def test_tuning_and_pruning_choose_the_same_widths(bench):
    permuted, allocation = bench.permute(), {"kind": "template", "settings": {"fractions": [1.0, 0.4]}}
    params = {**bench.tasks[bench.tune(permuted)].params, "allocation": allocation}
    tuned = bench.key(StageKind.TUNE, params, network=permuted)
    params = {"how": "resample", **bench.sampling(0.3), "allocation": allocation}
    pruned = bench.key(StageKind.PRUNE, params, network=permuted, partition=tuned)
    channel_map = ChannelMap.from_json(bench.json(permuted, "channels.json"))
    question = Question(channel_map=channel_map, target=0.3, cost=ParameterCount(channel_map))
    expected = allocate(ALLOCATIONS["template"], question, {"fractions": [1.0, 0.4]}).widths
    assert bench.measured(pruned)["widths"] == expected


def test_what_is_missing_is_named(prune, failure):
    outcome = failure(prune("sensitivity"))
    assert outcome.cause is Cause.BAD_INPUT
    assert "asks for losses" in outcome.message


def test_ones_own_has_to_need_what_the_sweep_says(bench, converted, failure, monkeypatch):
    import sys
    import types

    from workers.allocation import allocator

    module = types.ModuleType("own_allocations")
    module.keep_all = allocator(needs=["losses"])(lambda question: question.channel_map.widths())
    monkeypatch.setitem(sys.modules, "own_allocations", module)
    record = {"kind": "own_allocations:keep_all", "settings": {}, "needs": [], "source": None}
    params = {"how": "remove", "allocation": record, "compression": 0.0}
    outcome = failure(bench.run(StageKind.PRUNE, params, network=converted, scores=bench.score(converted)))
    assert "needs ['losses']; the sweep says `needs: []`" in outcome.message
