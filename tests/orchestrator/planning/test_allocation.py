import copy
from collections import Counter
from dataclasses import replace
from typing import ClassVar

import pytest
from planned import ENVIRONMENT, back, curve_of, tasks_of

from jobs.load import load_sweep
from jobs.spec.allocation import GlobalAllocation
from jobs.stages.common import Resampling, WidthLimits
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep

L1 = {"kind": "criterion", "criterion": "l1"}


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def plan(methods, *overrides, environment=ENVIRONMENT):
        sweep = {**copy.deepcopy(tiny_sweep), "methods": methods, "controls": False}
        return plan_sweep(load_sweep(write_sweep(sweep), overrides), environment)

    return plan


def widths_of(plan, stage=StageKind.PRUNE):
    """What the tasks of a stage are told of widths."""
    params = [task.params for task in tasks_of(plan, stage)]
    return [getattr(each, "procedure", each).widths for each in params]


def test_the_record_of_the_sweep_file_is_what_the_task_is_told(plan):
    made = plan({"m": {**L1, "allocation": {"kind": "global", "floor": 0.2}}})
    assert [widths.allocation for widths in widths_of(made)] == [GlobalAllocation(kind="global", floor=0.2)] * 2
    assert [widths.compression for widths in widths_of(made)] == [0.2, 0.4]
    assert {widths.target for widths in widths_of(made)} == {"parameters"}


def test_a_plain_name_and_its_record_are_one_task(plan):
    named, written = (plan({"m": {**L1, "allocation": each}}) for each in ("global", {"kind": "global", "floor": 0.1}))
    assert named.tasks.keys() == written.tasks.keys()


def test_one_that_looks_at_nothing_reads_nothing(plan):
    (task, *_) = tasks_of(plan({"m": {**L1, "allocation": "least-error"}}), StageKind.PRUNE)
    assert set(task.inputs) == {"procedure.network", "procedure.how.scores"}


def test_losses_are_measured_once_for_all_compressions_and_targets(plan):
    made = plan({"m": {**L1, "allocation": {"kind": "sensitivity", "images": 7}}})
    (sensed,) = tasks_of(made, StageKind.SENSE)
    assert (sensed.params.images.num_images, sensed.params.how.kind, sensed.params.seed) == (7, "remove", 0)
    assert set(sensed.inputs) == {"network", "how.scores"}
    assert [widths.losses for widths in widths_of(made)] == [sensed.key] * 2
    by_macs = plan({"m": {**L1, "allocation": {"kind": "sensitivity", "images": 7}}}, "target=macs")
    assert tasks_of(by_macs, StageKind.SENSE)[0].key == sensed.key


def test_an_integral_networks_losses_are_those_of_its_functions(plan):
    made = plan({"m": {"kind": "integral", "allocation": "sensitivity", "tune": {}}})
    (sensed,) = tasks_of(made, StageKind.SENSE)
    assert sensed.params.how == Resampling(partition="adaptive", quadrature="product")
    assert set(sensed.inputs) == {"network"}
    read = [widths.losses for stage in (StageKind.PRUNE, StageKind.TUNE) for widths in widths_of(made, stage)]
    assert read == [sensed.key] * 4


def test_everything_that_asks_for_latency_shares_one_profile(plan):
    methods = {"a": {**L1, "allocation": {"kind": "best-score", "latency": 0.5}}, "b": {**L1, "allocation": "global"}}
    made = plan(methods, "target=latency", "profile.batch_size=4")
    (profile,) = tasks_of(made, StageKind.PROFILE)
    assert profile.params.batch_size == 4
    assert {(widths.profile, widths.target) for widths in widths_of(made)} == {(profile.key, "latency")}
    assert not tasks_of(plan({"b": methods["b"]}), StageKind.PROFILE)


def test_the_profile_is_measured_where_the_sweep_computes(plan):
    made = plan({"a": L1}, "target=latency", environment=replace(ENVIRONMENT, device="cuda"))
    (profile,) = tasks_of(made, StageKind.PROFILE)
    assert (profile.environment["device"], profile.resources.num_gpus > 0) == ("cuda", True)


def test_the_solvers_version_counts_where_it_solves(plan):
    methods = {"a": {**L1, "allocation": {"kind": "best-score", "memory": 0.5}}, "b": {**L1, "allocation": "global"}}
    before, after = (plan(methods, environment=replace(ENVIRONMENT, ortools_version=each)) for each in "89")
    fresh = Counter(after.tasks[key].stage for key in after.tasks.keys() - before.tasks.keys())
    assert fresh == {StageKind.PRUNE: 2, StageKind.EVALUATE: 2}
    told = {(widths.allocation.kind, widths.ortools, widths.memory_batch_size) for widths in widths_of(after)}
    assert told == {("best-score", "9", 1), ("global", None, None)}  # images in a pass, for the memory


def test_a_reconstruction_can_be_what_guides(plan):
    found = {"kind": "reconstruction", "how": "thinet", "allocation": "least-error"}
    made = plan({"found": found, "led": {**L1, "allocation": {"kind": "guided", "method": "found"}}})
    led = back(made, made.tasks[curve_of(made, "led").points[0].key])
    (design,) = led.params.procedure.widths.allocation.designs
    assert made.tasks[design.network].stage is StageKind.RECONSTRUCT


def test_a_guided_method_reads_what_the_other_one_found_for_all_seeds(plan):
    guided = {"kind": "guided", "method": "found"}
    methods = {"found": {**L1, "allocation": "global"}, "led": {**L1, "allocation": guided}}
    made = plan(methods, "seeds=[0,1]")
    curves = {(curve.method, curve.seed): curve for curve in made.curves}
    found = [back(made, made.tasks[curves["found", seed].points[0].key]) for seed in (0, 1)]
    led = back(made, made.tasks[curves["led", 1].points[0].key])
    designs = led.params.procedure.widths.allocation.designs
    assert [design.network for design in designs] == [task.key for task in found]
    assert [design.channels for design in designs] == [back(made, task).key for task in found]
    assert {task.key for task in found} < set(led.inputs.values())
    assert set(plan(methods, "seeds=[1,0]").tasks) == set(made.tasks)


def test_a_design_can_come_from_another_model(plan):
    guided = {"kind": "guided", "method": "found", "model": "other"}
    methods = {"found": {**L1, "allocation": "global"}, "led": {**L1, "allocation": guided}}
    made = plan(methods, "models.other={network: plain, train: {epochs: 1}}")
    point = next(curve for curve in made.curves if (curve.model, curve.method) == ("net", "led")).points[0]
    (design,) = back(made, made.tasks[point.key]).params.procedure.widths.allocation.designs
    assert made.tasks[design.network].family == "other"


def test_ones_own_counts_by_its_source(plan):
    own = {"kind": "own", "choose": "jobs.mine:choose", "needs": ["losses"], "arguments": {"power": 2}}
    made = plan({"m": {**L1, "allocation": own}}, environment=replace(ENVIRONMENT, sources={"jobs.mine:choose": "1"}))
    widths = widths_of(made)[0]
    assert (widths.allocation.choose, widths.allocation.arguments) == ("jobs.mine:choose", {"power": 2})
    assert (widths.source, made.tasks[widths.losses].stage) == ("1", StageKind.SENSE)


class TestLimits:
    PRUNE = "prune={keep: [conv1], only: [layer*], ratios: {a: 0.5}, multiple: {b: 8}, floor: {'*': 0.1, c: 4}}"
    METHODS: ClassVar = {
        "l1": L1,
        "integral": {"kind": "integral", "tune": {}, "train": {"epochs": 1}},
        "rebuilt": {"kind": "reconstruction", "how": "thinet"},
        "soft": {**L1, "sparsify": {"kind": "soft-filter"}},
        "weights": {"kind": "unstructured"},
    }

    def test_every_task_that_chooses_widths_is_told_them(self, plan):
        made = plan(self.METHODS, self.PRUNE)
        told = [
            widths.limits for stage in ("PRUNE", "TUNE", "RECONSTRUCT") for widths in widths_of_channels(made, stage)
        ]
        expected = WidthLimits(
            keep=("conv1",),
            only=("layer*",),
            ratios=(("a", 0.5),),
            multiple=(("b", 8),),
            floor=(("*", 0.1), ("c", 4)),
        )
        assert told == [expected] * 10  # l1, integral and soft at two compressions, tuned and rebuilt
        soft = {task.params.procedure.limits for task in tasks_of(made, StageKind.TRAIN) if is_of(task, "sparse")}
        assert soft == {expected}

    def test_training_at_all_sizes_is_told_what_stays_whole(self, plan):
        made = plan({"m": self.METHODS["integral"]}, self.PRUNE)
        (trained,) = (task for task in tasks_of(made, StageKind.TRAIN) if is_of(task, "integral"))
        assert trained.params.procedure.limits == WidthLimits(keep=("conv1",), only=("layer*",))

    def test_scores_and_orders_are_shared_whatever_the_limits(self, plan):
        before, after = plan(self.METHODS), plan(self.METHODS, "methods.l1.prune.keep=[conv1]")
        fresh = {after.tasks[key].stage for key in after.tasks.keys() - before.tasks.keys()}
        assert fresh == {StageKind.PRUNE, StageKind.EVALUATE}

    def test_one_multiple_for_all_has_the_key_that_it_always_had(self, plan):
        (widths, _) = widths_of(plan({"m": L1}, "prune.multiple=8"))
        assert (widths.multiple, widths.limits) == (8, None)

    def test_what_makes_units_sparse_for_one_compression_is_told_it_too(self, plan):
        def trained(*overrides):
            made = plan({"soft": self.METHODS["soft"]}, *overrides)
            return {task.params.procedure for task in tasks_of(made, StageKind.TRAIN) if is_of(task, "sparse")}

        assert {(each.multiple, each.limits) for each in trained("prune.multiple=8")} == {(8, None)}
        assert trained("prune.multiple=1") == trained()  # which have the keys that they always had

    def test_the_order_of_patterns_is_part_of_the_key(self, plan):
        made = [plan({"m": L1}, f"prune.floor={each}") for each in ("{a: 1, b: 2}", "{b: 2, a: 1}")]
        assert not set(made[0].targets) & set(made[1].targets)

    def test_predefined_widths_need_neither_multiples_nor_floors(self, plan):
        predefined = {**L1, "allocation": {"kind": "predefined", "widths": {"conv1": 3}, "compression": 0.2}}
        (widths,) = widths_of(plan({"m": predefined}, self.PRUNE))
        assert (widths.limits.keep, widths.limits.multiple, widths.limits.floor) == (("conv1",), None, None)


def is_of(task, kind):
    return task.params.procedure.kind == kind


def widths_of_channels(plan, stage):
    params = [task.params for task in tasks_of(plan, StageKind[stage])]
    procedures = [getattr(each, "procedure", each) for each in params]
    return [each.widths for each in procedures if getattr(each, "kind", "") != "weights"]
