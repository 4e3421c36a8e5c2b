"""Which networks of a sweep meet what is asked, and in which order."""

import pytest
from chosen_networks import PSNR, RMSE, made_curve

from jobs.errors import BadInputError
from orchestrator.results.selection import (
    Requirements,
    candidates,
    dense_of,
    is_within,
    pareto_front,
    rank,
    select,
)

DENSE = made_curve("dense", {0.0: 0.97})
L1 = made_curve("l1", {0.2: 0.965, 0.4: 0.955, 0.6: 0.8})
RANDOM = made_curve("random", {0.2: 0.9, 0.4: 0.7})
SWEEP = candidates([DENSE, L1, RANDOM])


def labels(found) -> list[str]:
    return [each.label for each in found]


def only(*curves, method="l1"):
    (found,) = [each for each in candidates(curves) if each.method == method]
    return found


def refused(wanted: Requirements, every=SWEEP, **more) -> str:
    with pytest.raises(BadInputError) as caught:
        rank(every, wanted, **more)
    return str(caught.value)


class TestOverSeeds:
    def test_a_candidate_has_the_mean_and_the_deviation(self):
        found = only(made_curve("l1", {0.2: 0.90}), made_curve("l1", {0.2: 0.92}, seed=1))
        assert found.value == pytest.approx(0.91)
        assert found.deviation == pytest.approx(0.02 / 2**0.5)
        assert found.text == "91.0 ± 1.4"

    def test_missing_seeds_are_told(self):
        found = only(made_curve("l1", {0.2: 0.9}), made_curve("l1", {}, seed=1, planned=(0.2,)))
        assert (found.num_planned, found.complete, found.text) == (2, False, "90.0 (1/2)")

    def test_it_is_compared_with_the_dense_networks_of_its_own_seeds(self):
        dense = [made_curve("dense", {0.0: 0.95}), made_curve("dense", {0.0: 0.85}, seed=1)]
        found = only(*dense, made_curve("l1", {0.2: 0.84}, seed=1), made_curve("l1", {}, planned=(0.2,)))
        assert found.change == pytest.approx(-0.01)

    def test_without_the_dense_network_of_each_seed_there_is_nothing_to_compare(self):
        found = only(DENSE, made_curve("l1", {0.2: 0.97}), made_curve("l1", {0.2: 0.97}, seed=1))
        assert (found.dense, found.change) == (None, None)
        assert not is_within(found, 100)

    def test_a_network_that_was_only_trained_on_is_no_reference(self):
        further = made_curve("dense", {0.0: 0.97}, protocol="long")
        assert only(further, made_curve("l1", {0.2: 0.9})).dense is None

    def test_what_one_seed_lacks_has_no_mean(self):
        found = only(made_curve("l1", {0.2: 0.9}, times={0.2: 0.01}), made_curve("l1", {0.2: 0.9}, seed=1))
        assert found.cost("latency") is None
        assert "params" in found.means
        assert "latency_p50_s/onnxruntime/b1" not in found.means

    def test_the_chosen_network_is_a_typical_one(self):
        curves = [made_curve("l1", {0.2: value}, seed=seed) for seed, value in enumerate((0.90, 0.94, 0.93))]
        assert select(only(*curves)).seed == 2  # the mean is 0.923

    def test_of_a_seed_that_is_not_measured_there_is_no_network(self):
        with pytest.raises(BadInputError, match="seed 3 is not measured; measured are 0"):
            select(only(made_curve("l1", {0.2: 0.9})), 3)


class TestWithin:
    def test_the_smallest_comes_first(self):
        assert labels(rank(SWEEP, Requirements(within=1.5), by="params")) == [
            "net/l1 at 40 %",
            "net/l1 at 20 %",
            "net/dense at 0 %",
        ]

    def test_a_loss_of_exactly_the_tolerance_is_within(self):
        # 0.97 - 0.955 is 1.5 points, but for rounding.
        assert is_within(rank(SWEEP, Requirements(method="l1", compression=0.4))[0], 1.5)

    def test_the_tolerance_is_in_the_metrics_own_unit_and_lower_may_be_better(self):
        # RMSE in metres, read in millimetres.
        every = candidates(
            [made_curve("dense", {0.0: 0.010}, metric=RMSE), made_curve("l1", {0.2: 0.0105, 0.4: 0.012}, metric=RMSE)]
        )
        assert labels(rank(every, Requirements(within=1.0), by="params")) == ["net/l1 at 20 %", "net/dense at 0 %"]
        assert labels(rank(every, Requirements()))[0] == "net/dense at 0 %"

    def test_of_a_metric_without_bounds_too_and_a_baseline_is_never_chosen(self):
        every = candidates(
            [
                made_curve("bicubic", {0.0: 28.5}, metric=PSNR, baseline=True),
                made_curve("dense", {0.0: 28.7}, metric=PSNR),
                made_curve("l1", {0.2: 28.3, 0.4: 28.1}, metric=PSNR, sets={"set5": 2.0}),
            ]
        )
        # Half a decibel below 28.7 is 28.2.
        assert labels(rank(every, Requirements(within=0.5), by="params")) == ["net/l1 at 20 %", "net/dense at 0 %"]
        assert dense_of(every, every[1]) is every[0]
        assert "bicubic" not in " ".join(labels(pareto_front(every)))
        assert every[1].means["psnr_db/set5"] == pytest.approx(30.3)

    def test_networks_of_different_metrics_are_not_ranked_together(self):
        every = candidates([L1, made_curve("l1", {0.2: 28.7}, model="sr", metric=PSNR)])
        assert "net by accuracy, sr by PSNR; choose with --model" in refused(Requirements(), every)
        assert labels(rank(every, Requirements(model="sr"))) == ["sr/l1 at 20 %"]

    def test_one_that_is_better_than_the_dense_network_is_within_nothing(self):
        every = candidates([DENSE, made_curve("l1", {0.2: 0.98})])
        assert labels(rank(every, Requirements(within=0.0), by="params")) == ["net/l1 at 20 %", "net/dense at 0 %"]

    def test_each_model_is_compared_with_its_own_dense_network(self):
        every = candidates(
            [
                DENSE,
                made_curve("dense", {0.0: 0.5}, model="other"),
                made_curve("l1", {0.2: 0.5}, model="other"),
                made_curve("l1", {0.2: 0.5}),
            ]
        )
        assert labels(rank(every, Requirements(within=1, method="l1"), by="params")) == ["other/l1 at 20 %"]
        assert dense_of(every, every[-1]) is every[0]

    def test_without_a_dense_network_the_remedy_is_named(self):
        assert "run the sweep with `dense`" in refused(Requirements(within=1), candidates([L1]))


class TestLimits:
    def test_the_best_metric_comes_first_and_then_the_smaller_one(self):
        every = candidates([DENSE, L1, made_curve("l2", {0.2: 0.955})])
        assert labels(rank(every, Requirements(max_params=80))) == [
            "net/l1 at 20 %",
            "net/l1 at 40 %",
            "net/l2 at 20 %",
            "net/l1 at 60 %",
        ]

    def test_a_limit_is_met_by_equality(self):
        assert labels(rank(SWEEP, Requirements(max_macs=400))) == ["net/l1 at 60 %"]

    def test_of_none_that_meets_all_the_best_one_is_named(self):
        assert "the best by its metric is net/dense at 0 %: accuracy 97.0 %, 100 parameters" in refused(
            Requirements(max_params=1)
        )

    def test_the_fastest_is_by_the_latency_that_is_asked(self):
        every = candidates([made_curve("l1", {0.2: 0.9, 0.4: 0.8}, times={0.2: 0.002, 0.4: 0.004})])
        assert labels(rank(every, Requirements(), by="latency")) == ["net/l1 at 20 %", "net/l1 at 40 %"]
        assert labels(rank(every, Requirements(max_latency_s=0.003))) == ["net/l1 at 20 %"]
        message = refused(Requirements(latency="onnxruntime/b2"), every)
        assert "latency 'onnxruntime/b2' is not measured; did you mean 'onnxruntime/b1'?" in message

    def test_where_nothing_was_timed_the_remedy_is_named(self):
        assert "measure: {latency: {}}" in refused(Requirements(), by="latency")
        assert "measure: {latency: {}}" in refused(Requirements(max_latency_s=1))

    def test_where_only_others_were_timed_that_is_said(self):
        every = candidates([DENSE, L1, made_curve("slow", {0.2: 0.1}, times={0.2: 0.01})])
        assert refused(Requirements(within=1, compression=0.2), every, by="latency").endswith(
            "net/l1 at 20 % meets the requirements, but its latency is not measured yet"
        )


class TestNames:
    @pytest.mark.parametrize("what", ["model", "method", "protocol"])
    def test_an_unknown_one_is_told_with_the_nearest(self, what):
        known = {"model": "net", "method": "l1", "protocol": "none"}[what]
        assert f"did you mean '{known}'?" in refused(Requirements(**{what: f"{known}e"}))

    def test_a_compression_that_is_not_measured_is_told_with_those_that_are(self):
        assert "measured are 0.2, 0.4" in refused(Requirements(method="random", compression=0.3))

    def test_those_that_are_named_are_found(self):
        assert labels(rank(SWEEP, Requirements(method="random", compression=0.4))) == ["net/random at 40 %"]


class TestParetoFront:
    def test_it_has_those_that_no_other_beats(self):
        # random is worse than l1 at the same size; l1 at 60 % is the smallest.
        assert labels(pareto_front(SWEEP)) == [
            "net/dense at 0 %",
            "net/l1 at 20 %",
            "net/l1 at 40 %",
            "net/l1 at 60 %",
        ]

    def test_it_is_one_for_each_model(self):
        other = made_curve("l1", {0.2: 0.1}, model="other")
        assert "other/l1 at 20 %" in labels(pareto_front(candidates([DENSE, L1, other])))

    def test_it_is_of_the_means_over_the_seeds(self):
        lucky = [made_curve("a", {0.2: 0.9}), made_curve("a", {0.2: 0.7}, seed=1)]
        steady = [made_curve("b", {0.2: 0.85}), made_curve("b", {0.2: 0.85}, seed=1)]
        assert labels(pareto_front(candidates([*lucky, *steady]))) == ["net/b at 20 %"]
