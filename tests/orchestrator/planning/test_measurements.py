"""What a sweep file's `measure`, `profile` and `prune` add to a plan."""

from collections import Counter
from dataclasses import replace

import pytest
from planned import ENVIRONMENT, curve_of, tasks_of

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep

LATENCY = "measure.latency={runtime: [eager, onnxruntime], batch_size: 4}"
INT8 = "measure.quantize=int8"
ATTACK = "measure.attack={by: {fgsm: {kind: fgsm, epsilon: 8}}}"


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def make(*overrides, environment=replace(ENVIRONMENT, onnx="1")):  # noqa: B008  # a frozen record
        return plan_sweep(load_sweep(write_sweep(tiny_sweep), overrides), environment)

    return make


def added(plan, *overrides) -> dict[str, int]:
    before, after = plan().tasks, plan(*overrides).tasks
    assert before.keys() <= after.keys()  # nothing that was computed is computed again
    return dict(Counter(after[key].stage.value for key in after.keys() - before.keys()))


def test_nothing_is_added_unasked(plan):
    assert all(not point.further for curve in plan().curves for point in curve.points)
    assert added(plan) == {}


def test_every_network_is_timed_beside_the_dense_one(plan):
    # The dense network and two pruned ones; each is exported once, the dense one for all.
    assert added(plan, LATENCY) == {"export": 3, "time": 3}
    made = plan(LATENCY)
    assert {task.params.dense for task in tasks_of(made, StageKind.TIME)} == {
        curve_and_timed.params.timed
        for curve_and_timed in tasks_of(made, StageKind.TIME)
        if curve_and_timed.key in curve_of(made, "dense").points[0].keys
    }


@pytest.mark.parametrize(
    ("asked", "stage", "settings"),
    [
        ("measure.latency={}", StageKind.TIME, "measure.latency"),
        ("target=latency", StageKind.PROFILE, "profile"),
    ],
)
class TestWhatTimesHoldFor:
    @pytest.fixture
    def timed(self, plan, asked, stage):
        """The keys of what is timed, given further overrides."""
        return lambda *overrides: {task.key for task in tasks_of(plan(asked, *overrides), stage)}

    def test_as_many_threads_as_the_stage_has_cpus(self, timed, stage, settings):
        assert timed() == timed("resources={evaluate: {num_cpus: 3}}")
        assert not timed() & timed(f"resources={{{stage}: {{num_cpus: 3}}}}")
        assert timed(f"resources={{{stage}: {{num_cpus: 3}}}}") == timed(f"{settings}.threads=3")

    def test_the_machine_that_the_sweep_names(self, timed, stage, settings):
        laptop, cluster = (timed(f"{settings}.machine={each}") for each in ("laptop", "cluster"))
        assert laptop
        assert not timed() & laptop
        assert not laptop & cluster


def test_without_onnx_runtime_nothing_is_exported(plan):
    assert added(plan, "measure.latency={}") == {"time": 3}


def test_quantised_networks_are_evaluated_and_timed(plan):
    assert added(plan, INT8) == {"export": 3, "quantize": 3}
    made = plan(INT8, LATENCY)
    assert Counter(task.stage.value for task in made.tasks.values())["quantize"] == 3
    for point in curve_of(made, "l1").points:
        stages = dict(point.further)
        assert list(stages) == ["quantize", "time"]
        assert made.tasks[stages["time"]].params.timed.quantized == stages["quantize"]


def test_every_network_is_attacked_and_nothing_else_changes(plan):
    assert added(plan, ATTACK) == {"attack": 3}
    made = plan(ATTACK, "data.split=validation")
    assert {task.params.split for task in tasks_of(made, StageKind.ATTACK)} == {"validation"}
    assert {task.params.attacks.by["fgsm"].epsilon for task in tasks_of(made, StageKind.ATTACK)} == {8}


@pytest.mark.parametrize(("kind", "same"), [("fgsm", True), ("autoattack", False)])
def test_the_version_of_a_package_that_attacks_is_part_of_the_key(tiny_sweep, write_sweep, kind, same):
    tiny_sweep["measure"] = {"attack": {"by": {"one": {"kind": kind, "epsilon": 8}}}}
    spec = load_sweep(write_sweep(tiny_sweep))
    first, second = (
        plan_sweep(spec, replace(ENVIRONMENT, sources={"pyautoattack": f"pyautoattack {number}"}))
        for number in ("0.2", "0.3")
    )
    assert (set(first.targets) == set(second.targets)) == same


def test_all_that_measures_a_point_is_wanted(plan):
    made = plan(INT8, LATENCY)
    assert set(made.targets) == {key for curve in made.curves for point in curve.points for key in point.keys}
    assert len(made.targets) == 9


def test_other_passes_are_other_tasks_and_leave_the_metrics_alone(plan):
    first, second = plan(LATENCY), plan("measure.latency={batch_size: [4, 8]}")
    for stage, same in ((StageKind.EVALUATE, True), (StageKind.TIME, False)):
        assert ({task.key for task in tasks_of(first, stage)} == {task.key for task in tasks_of(second, stage)}) is same


def test_another_onnx_runtime_measures_anew(plan):
    before, after = plan(INT8, LATENCY), plan(INT8, LATENCY, environment=replace(ENVIRONMENT, onnx="2"))
    changed = {after.tasks[key].stage.value for key in after.tasks.keys() - before.tasks.keys()}
    assert changed == {"export", "quantize", "time"}


def test_a_profile_is_made_in_its_runtime(plan):
    made = plan("target=latency", "profile={runtime: onnxruntime, threads: 1}")
    (profile,) = tasks_of(made, StageKind.PROFILE)
    assert (profile.params.runtime, profile.params.threads, profile.params.onnx) == ("onnxruntime", 1, "1")


def test_widths_are_multiples_where_asked(plan):
    for asked, multiple in (("1", None), ("8", 8)):
        made = plan(f"prune.multiple={asked}")
        assert {task.params.procedure.widths.multiple for task in tasks_of(made, StageKind.PRUNE)} == {multiple}


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("measure.latency={runtime: tensorrt}", r"measure.latency.runtime\[0\]: 'tensorrt' is not allowed; allowed:"),
        ("measure.latency={runtime: []}", "measure.latency.runtime: is empty"),
        ("measure.latency={batch_size: [1, 1]}", "measure.latency.batch_size: duplicate value 1"),
        (
            "measure.latency={runtime: onnxruntime, dtype: float16}",
            "dtype float16 is for the runtimes eager and compile",
        ),
        ("measure.quantize=int4", r"measure.quantize\[0\]: 'int4' is not allowed; allowed: 'int8'"),
        ("measure.attack={by: {}}", "measure.attack.by: names no attack"),
        ("measure.attack={by: {clean: {kind: fgsm, epsilon: 8}}}", "clean is the name of the images without an attack"),
        ("measure.attack={by: {a: {kind: cw, epsilon: 8}}}", "measure.attack.by.a.*'cw'"),
        ("prune.multiple=0", "prune.multiple.*: 0 is not valid"),
        ("profile.runtime=fast", "profile.runtime: 'fast' is not allowed"),
    ],
)
def test_what_cannot_be_measured_is_refused(plan, override, problem):
    with pytest.raises(InvalidFileError, match=problem):
        plan(override)
