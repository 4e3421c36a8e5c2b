import copy
import json
from dataclasses import replace

import pytest
from planned import ENVIRONMENT, curve_of

from jobs.artifact import Manifest
from jobs.load import load_sweep
from orchestrator.planning import plan_sweep
from orchestrator.results.lineage import TaskFacts, ancestry, settings_of, source_network

METHODS = {
    "dense": {"kind": "dense"},
    "l1": {"kind": "criterion", "criterion": "l1", "protocols": ["none", "tuned"]},
    "integral": {"kind": "integral"},
    "thin": {"kind": "unstructured", "rounds": 2},
}
PROTOCOLS = {"tuned": {"kind": "fine-tune", "train": {"epochs": 3, "batch_size": 32}}}


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def make(*overrides, environment=ENVIRONMENT):
        sweep = {**copy.deepcopy(tiny_sweep), "methods": METHODS, "protocols": PROTOCOLS}
        return plan_sweep(load_sweep(write_sweep(sweep), overrides), environment)

    return make


def facts_in(plan):
    return lambda key: TaskFacts.of_task(plan.tasks[key]) if key in plan.tasks else None


def facts_behind(plan, method, protocol="none", point=0):
    return ancestry(curve_of(plan, method, protocol).points[point].keys, facts_in(plan))


@pytest.fixture
def settings(plan):
    """The settings of a method's point, whose curve is named, in a changed plan."""

    def settings(method, *overrides, protocol="none", point=0, environment=ENVIRONMENT):
        return settings_of(facts_behind(plan(*overrides, environment=environment), method, protocol, point))

    return settings


def manifest_of(task) -> Manifest:
    """What a finished task leaves, as it is read back."""
    manifest = Manifest(
        key=task.key, stage=task.stage.value, identity=task.identity(), inputs=task.inputs, measurements={}
    )
    return Manifest.from_json(json.loads(json.dumps(manifest.to_json())))


class TestAncestry:
    def test_inputs_come_before_their_readers(self, plan):
        stages = [facts.stage for facts in facts_behind(plan(), "l1", "tuned")]
        assert stages == ["analyse", "train", "convert", "score", "prune", "train", "evaluate"]

    def test_what_several_tasks_read_is_there_once(self, plan):
        stages = [facts.stage for facts in facts_behind(plan(), "l1")]
        assert stages.count("convert") == 1  # pruning and scoring read it

    def test_what_is_not_known_is_left_out(self, plan):
        made = plan()
        key = curve_of(made, "l1").points[0].key
        known = {each: task for each, task in made.tasks.items() if task.stage != "convert"}
        found = ancestry([key], lambda each: TaskFacts.of_task(known[each]) if each in known else None)
        assert [facts.stage for facts in found] == ["score", "prune", "evaluate"]
        assert ancestry(["ff"], facts_in(made)) == []

    def test_plan_and_store_tell_the_same(self, plan):
        made = plan()
        key = curve_of(made, "l1", "tuned").points[0].key
        manifests = {each: manifest_of(task) for each, task in made.tasks.items()}
        stored = ancestry([key], lambda each: TaskFacts.of_manifest(manifests[each]))
        assert settings_of(stored) == settings_of(ancestry([key], facts_in(made)))

    def test_the_network_behind_leads_to_the_models_own(self, plan):
        made = plan()
        key, stages = curve_of(made, "integral").points[0].key, []
        while key:
            stages.append(made.tasks[key].stage.value)
            key = source_network(manifest_of(made.tasks[key]))
        assert stages == ["evaluate", "prune", "permute", "convert", "train"]

    def test_manifests_of_version_0_1_have_their_inputs_in_the_identity(self):
        value = manifest_of_version_0_1(inputs={"network": "ab"})
        assert source_network(value) == "ab"
        assert TaskFacts.of_manifest(value).inputs == {"network": "ab"}


def manifest_of_version_0_1(**identity) -> Manifest:
    fields = {"key": "cd", "stage": "convert", "measurements": {}, "files": {}}
    return Manifest.from_json({**fields, "identity": {"stage": "convert", "params": {}, **identity}})


class TestSettings:
    def test_a_procedure_is_named_beside_its_stage(self, settings):
        found = settings("l1", protocol="tuned")
        assert (found["train.model.recipe.epochs"], found["train.further.recipe.epochs"]) == ("1", "3")
        assert found["train.further.recipe.batch_size"] == "32"
        assert found["prune.channels.how.kind"] == "remove"

    def test_defaults_are_settings_too(self, settings):
        found = settings("l1", protocol="tuned")
        assert found["train.further.recipe.learning_rate"] == "0.001"
        assert found["prune.channels.widths.allocation.kind"] == "uniform"

    def test_from_scratch_an_integral_network_has_any_order_and_keeps_its_batch_norms(self, settings):
        plain = settings("integral")
        scratch = settings("integral", "methods.integral.train={epochs: 2, start: scratch}")
        assert (plain["permute.ordering.method"], plain["analyse.fold_batchnorm"]) == ("tsp", "true")
        assert (scratch["permute.ordering.method"], scratch["analyse.fold_batchnorm"]) == ("identity", "false")
        assert scratch["train.integral.recipe.epochs"] == "2"
        assert "train.model.recipe.epochs" not in scratch

    def test_the_target_is_there(self, settings):
        found = settings("l1", "methods={l1: {kind: criterion, criterion: l1}}", "target=macs")
        assert found["prune.channels.widths.target"] == "macs"

    def test_the_data_set_is_there_once_with_its_arguments(self, settings):
        found = settings("l1", "data.arguments={scale: 2}", "data.normalize={mean: [0.5], std: [0.25]}")
        told = {name: value for name, value in found.items() if "data" in name}
        assert told == {
            "data.dataset": "digits",
            "data.fingerprint": "d",
            "data.arguments.scale": "2",
            "data.normalize.mean": "[0.5]",
            "data.normalize.std": "[0.25]",
        }

    def test_networks_arguments_are_there(self, settings):
        found = settings("dense")
        assert found["train.model.network"] == "resnet"
        assert found["train.model.arguments.widths"] == "[8, 12]"

    def test_versions_are_there_and_the_device_is_not(self, settings):
        found = settings("l1", environment=replace(ENVIRONMENT, torch_version="2.5"))
        assert found["environment.torch"] == "2.5"
        assert "environment.device" not in found

    def test_no_value_is_a_key(self, plan):
        made = plan("methods.led={kind: criterion, criterion: l1, allocation: {kind: guided, method: l1}}")
        for curve in made.curves:
            found = settings_of(ancestry(curve.points[0].keys, facts_in(made)))
            assert not [name for name, value in found.items() if any(key in value for key in made.tasks)]

    def test_seeds_and_compressions_are_left_out(self, settings):
        for method in METHODS:
            first, second = (settings(method, f"seeds=[{seed}]") for seed in (0, 1))
            assert first == second
            assert not [name for name in first if name.endswith(("seed", "compression"))]

    @pytest.mark.parametrize("method", ["l1", "integral", "thin"])
    def test_all_points_of_a_curve_have_the_same(self, settings, method):
        assert settings(method, point=0) == settings(method, point=1)

    def test_where_a_stage_ran_several_times_all_values_are_given(self, settings):
        found = settings("thin")
        assert (found["prune.weights.round"], found["prune.weights.rounds"]) == ("1, 2", "2")

    def test_of_nothing_there_are_none(self):
        assert settings_of([]) == {}
