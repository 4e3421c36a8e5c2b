"""Stages `train` and `tune` with a teacher: a pruned network learns from the dense one."""

from dataclasses import replace

import pytest

from jobs.spec.distillation import DistillSpec, FeatureSpec
from jobs.spec.training import Recipe
from jobs.stages.training import IntegralTraining

RECIPE = Recipe(epochs=1, batch_size=250, learning_rate=0.02)
OUTPUTS = DistillSpec(weight=0.5, temperature=4.0)
FEATURES = DistillSpec(weight=0.0, features=FeatureSpec(layers=("layer*",)))


@pytest.fixture
def pruned(bench):
    return bench.remove(bench.convert(fold=False))


@pytest.fixture
def taught(bench, pruned):
    """The parameters of its fine-tuning by the dense network."""

    def make(distill):
        params = bench.further(pruned, RECIPE.model_copy(update={"distill": distill}))
        return replace(params, procedure=replace(params.procedure, teacher=bench.train()))

    return make


def test_a_weight_of_0_gives_the_same_bits_as_no_distillation(bench, pruned, taught):
    plain, idle = bench.key(bench.further(pruned, RECIPE)), bench.key(taught(DistillSpec(weight=0.0)))
    assert plain != idle
    assert bench.digests(plain) == bench.digests(idle)
    assert bench.measured(plain) == bench.measured(idle)
    assert "teacher_s" not in bench.store.manifest(idle).timings


@pytest.mark.parametrize("distill", [OUTPUTS, FEATURES], ids=["outputs", "features"])
def test_what_the_teacher_costs_is_measured(bench, pruned, taught, distill):
    key = bench.key(taught(distill))
    macs, dense = bench.measured(pruned)["macs"], bench.measured(bench.train())["macs"]
    assert bench.measured(key)["training_macs"] == (3 * macs + dense) * 1000
    assert bench.store.manifest(key).timings["teacher_s"] > 0
    assert bench.digests(key) != bench.digests(bench.key(bench.further(pruned, RECIPE)))


def test_a_pattern_that_matches_nothing_fails_the_task(bench, taught, failure):
    wrong = DistillSpec(features=FeatureSpec(layers=("layer1", "layr2")))
    assert "'layr2' matches no layer of the network; nearest: layer2" in failure(bench.run(taught(wrong))).message


def test_an_integral_network_learns_from_the_outputs_at_all_sizes(bench):
    permuted, dense = bench.permute(bench.convert()), bench.train()
    recipe = RECIPE.model_copy(update={"distill": DistillSpec(weight=1.0)})
    procedure = IntegralTraining(network=permuted, recipe=recipe, smallest=0.5, teacher=dense)
    key = bench.key(replace(bench.model(), procedure=procedure))
    assert bench.store.manifest(key).timings["teacher_s"] > 0
    assert bench.measured(key)["training_macs"] == (3 + 1) * bench.measured(dense)["macs"] * 1000  # norms are folded


SHORT = {"steps": 2, "samples": 64, "holdout": 50}


def test_tuning_with_weight_1_is_tuning_towards_the_dense_network(bench):
    permuted = bench.permute()
    tuned = bench.tune(permuted, distill=DistillSpec(weight=1.0), **SHORT)
    towards = bench.tune(permuted, target="dense", **SHORT)
    assert bench.digests(tuned) == bench.digests(towards)
    more = bench.measured(tuned)["training_macs"] - bench.measured(towards)["training_macs"]
    assert more == bench.measured(bench.convert())["macs"] * 2 * 32


def test_tuning_may_compare_features(bench):
    permuted, labels = bench.permute(), {"weight": 0.0, "features": None}
    without, with_them = (
        bench.digests(bench.tune(permuted, distill=DistillSpec(**{**labels, **more}), **SHORT))
        for more in ({}, {"features": FeatureSpec(layers=("layer*",))})
    )
    assert without != with_them
