import math
from dataclasses import asdict

import pytest

from jobs.errors import BadInputError
from jobs.metric import Metric

PSNR = Metric(name="psnr", label="PSNR", direction="higher", unit="dB", digits=2)
ERROR = Metric(name="top1_error", label="error", direction="lower", scale=100, digits=1, unit="%", lowest=0, highest=1)


def test_people_read_it_in_its_unit():
    assert (PSNR.quantity, PSNR.heading, PSNR.text(31.416)) == ("PSNR (dB)", "PSNR (dB)", "31.42")
    assert (ERROR.quantity, ERROR.heading, ERROR.text(0.125)) == ("error (%)", "Error (%)", "12.5")
    plain = Metric(name="miou", label="mIoU", direction="higher")
    assert (plain.quantity, plain.heading, plain.text(0.5)) == ("mIoU", "mIoU", "0.500")


def test_a_mean_is_read_with_its_deviation_and_with_what_is_missing():
    assert ERROR.summary(0.125, 0.01, num_measured=2, num_planned=2) == "12.5 ± 1.0"
    assert ERROR.summary(0.125, 0.0, num_measured=1, num_planned=1) == "12.5"
    assert ERROR.summary(0.125, 0.0, num_measured=1, num_planned=3) == "12.5 (1/3)"


def test_a_change_has_its_sign_and_none_has_none_below_zero():
    assert [ERROR.change(value) for value in (0.05, -0.05, -0.0001)] == ["+5.0", "-5.0", "+0.0"]


def test_less_cost_is_better_whatever_the_direction():
    assert PSNR.cost(31) < PSNR.cost(30)
    assert ERROR.cost(0.1) < ERROR.cost(0.2)


@pytest.mark.parametrize("metric", [PSNR, ERROR])
def test_what_is_no_number_costs_most(metric):
    assert metric.cost(math.nan) == math.inf


def test_values_stay_within_the_bounds_that_there_are():
    assert [ERROR.clipped(value) for value in (-0.1, 0.5, 1.2)] == [0, 0.5, 1]
    assert PSNR.clipped(1e9) == 1e9


def test_it_comes_back_from_what_a_point_says_and_what_is_new_is_left_out():
    assert Metric.from_json({**asdict(ERROR), "of_a_later_version": 1}) == ERROR


@pytest.mark.parametrize("name", ["loss", "params", "latency_p50_s", "top-1", "", "1st"])
def test_a_name_that_is_no_key_or_taken_is_refused(name):
    with pytest.raises(BadInputError, match="letters, digits and underscores"):
        Metric(name=name, label="x", direction="higher")
