import copy
from collections import Counter
from dataclasses import replace

import pytest

from jobs.load import load_sweep
from jobs.task import StageKind
from orchestrator.planning import Surroundings, plan_sweep

SURROUNDINGS = Surroundings(device="cpu", torch_version="2.0", ortools_version="9", data="d", weights={}, sources={})
L1 = {"kind": "criterion", "criterion": "l1"}


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def plan(methods, *overrides, surroundings=SURROUNDINGS):
        sweep = {**copy.deepcopy(tiny_sweep), "methods": methods, "controls": False}
        return plan_sweep(load_sweep(write_sweep(sweep), overrides), surroundings)

    return plan


def tasks_of(plan, stage):
    return [task for task in plan.tasks.values() if task.stage is stage]


@pytest.mark.parametrize("kind", ["uniform", "least-error"])
def test_those_without_settings_are_named_plainly(plan, kind):
    made = plan({"m": {**L1, "allocation": {"kind": kind}}})
    assert {task.params["allocation"] for task in tasks_of(made, StageKind.PRUNE)} == {kind}
    assert all("target" not in task.params for task in made.tasks.values())


def test_settings_are_part_of_the_key(plan):
    (task, *_) = tasks_of(plan({"m": {**L1, "allocation": {"kind": "global", "floor": 0.2}}}), StageKind.PRUNE)
    assert task.params["allocation"] == {"kind": "global", "settings": {"floor": 0.2, "normalize": "none"}}


def test_losses_are_measured_once_for_all_compressions_and_targets(plan):
    made = plan({"m": {**L1, "allocation": {"kind": "sensitivity", "images": 7}}})
    (sensed,) = tasks_of(made, StageKind.SENSE)
    assert (sensed.params["num_images"], sensed.params["how"], sensed.params["seed"]) == (7, "remove", 0)
    assert set(sensed.inputs) == {"network", "scores"}
    pruned = tasks_of(made, StageKind.PRUNE)
    assert [task.inputs["losses"] for task in pruned] == [sensed.key] * 2
    by_macs = plan({"m": {**L1, "allocation": {"kind": "sensitivity", "images": 7}}}, "target=macs")
    assert tasks_of(by_macs, StageKind.SENSE)[0].key == sensed.key


def test_an_integral_networks_losses_are_those_of_its_functions(plan):
    made = plan({"m": {"kind": "integral", "allocation": "sensitivity", "tune": {}}})
    (sensed,) = tasks_of(made, StageKind.SENSE)
    assert (sensed.params["how"], sensed.params["partition"], set(sensed.inputs)) == (
        "resample",
        "adaptive",
        {"network"},
    )
    assert all(task.inputs["losses"] == sensed.key for stage in ("prune", "tune") for task in tasks_of(made, stage))


def test_everything_that_asks_for_latency_shares_one_profile(plan):
    methods = {"a": {**L1, "allocation": {"kind": "best-score", "latency": 0.5}}, "b": {**L1, "allocation": "global"}}
    made = plan(methods, "target=latency", "profile.batch_size=4")
    (profile,) = tasks_of(made, StageKind.PROFILE)
    assert profile.params == {"batch_size": 4}
    pruned = tasks_of(made, StageKind.PRUNE)
    assert {task.inputs["profile"] for task in pruned} == {profile.key}
    assert {task.params["target"] for task in pruned} == {"latency"}
    assert not tasks_of(plan({"b": methods["b"]}), StageKind.PROFILE)


def test_the_profile_is_measured_where_the_sweep_computes(plan):
    made = plan({"a": L1}, "target=latency", surroundings=replace(SURROUNDINGS, device="cuda"))
    (profile,) = tasks_of(made, StageKind.PROFILE)
    assert (profile.environment["device"], profile.resources.num_gpus > 0) == ("cuda", True)


def test_the_solvers_version_counts_where_it_solves(plan):
    methods = {"a": {**L1, "allocation": {"kind": "best-score", "memory": 0.5}}, "b": {**L1, "allocation": "global"}}
    before, after = (plan(methods, surroundings=replace(SURROUNDINGS, ortools_version=each)) for each in "89")
    fresh = Counter(after.tasks[key].stage for key in after.tasks.keys() - before.tasks.keys())
    assert fresh == {StageKind.PRUNE: 2, StageKind.EVALUATE: 2}
    settings = {task.params["allocation"]["settings"].get("batch_size") for task in tasks_of(after, StageKind.PRUNE)}
    assert settings == {1, None}  # images in a pass, for the memory


def test_a_reconstruction_can_be_what_guides(plan):
    found = {"kind": "reconstruction", "how": "thinet", "allocation": "least-error"}
    made = plan({"found": found, "led": {**L1, "allocation": {"kind": "guided", "method": "found"}}})
    designs = [made.tasks[task.inputs["design0"]] for task in made.tasks.values() if "design0" in task.inputs]
    assert {design.stage for design in designs} == {StageKind.RECONSTRUCT}


def test_a_guided_method_reads_what_the_other_one_found_for_all_seeds(plan):
    guided = {"kind": "guided", "method": "found"}
    methods = {"found": {**L1, "allocation": "global"}, "led": {**L1, "allocation": guided}}
    made = plan(methods, "seeds=[0,1]")
    curves = {(curve.method, curve.seed): curve for curve in made.curves}
    found = [made.tasks[curves["found", seed].points[0].key].inputs["network"] for seed in (0, 1)]
    led = made.tasks[made.tasks[curves["led", 1].points[0].key].inputs["network"]]
    assert [led.inputs["design0"], led.inputs["design1"]] == found
    assert led.inputs["design0_channels"] == made.tasks[found[0]].inputs["network"]
    assert led.params["allocation"] == {"kind": "guided", "settings": {}}


def test_a_design_can_come_from_another_model(plan):
    guided = {"kind": "guided", "method": "found", "model": "other"}
    methods = {"found": {**L1, "allocation": "global"}, "led": {**L1, "allocation": guided}}
    made = plan(methods, "models.other={network: plain, train: {epochs: 1}}")
    led = next(curve for curve in made.curves if (curve.model, curve.method) == ("net", "led")).points[0]
    design = made.tasks[made.tasks[made.tasks[led.key].inputs["network"]].inputs["design0"]]
    assert design.family == "other"


def test_ones_own_counts_by_its_source(plan):
    own = {"kind": "own", "choose": "jobs.mine:choose", "needs": ["losses"], "arguments": {"power": 2}}
    made = plan({"m": {**L1, "allocation": own}}, surroundings=replace(SURROUNDINGS, sources={"jobs.mine:choose": "1"}))
    task = tasks_of(made, StageKind.PRUNE)[0]
    assert task.params["allocation"] == {
        "kind": "jobs.mine:choose",
        "settings": {"power": 2},
        "needs": ["losses"],
        "source": "1",
    }
    assert "losses" in task.inputs
