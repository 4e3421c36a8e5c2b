"""What was really removed of what."""

import math

import pytest

from orchestrator.results import SweepRecord
from orchestrator.results.targets import reached_words, removed, target_of

MEASURED = {"compression": 0.3, "speedup": 2.0, "speedup_predicted": 1.25}


@pytest.mark.parametrize(("target", "fraction"), [("parameters", 0.3), ("macs", 0.5), ("latency", 0.2)])
def test_of_every_target(target, fraction):
    assert removed(MEASURED, target) == pytest.approx(fraction)
    assert math.isnan(removed({}, target))


def test_it_is_told_where_it_is_not_what_was_asked_for():
    assert reached_words(0.2, 0.5) == " @50%"
    assert reached_words(0.2, 0.205) == reached_words(0.0, 0.1) == reached_words(0.2, math.nan) == ""


def test_sweeps_without_a_word_of_it_count_parameters():
    assert target_of(SweepRecord(name="s", spec={}, curves=())) == "parameters"
    assert target_of(SweepRecord(name="s", spec={"target": "macs"}, curves=())) == "macs"
