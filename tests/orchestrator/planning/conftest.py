"""Plans of the tiny sweep, with a method of every kind that most tests need."""

import copy

import pytest
from planned import ENVIRONMENT

from jobs.load import load_sweep
from orchestrator.planning import plan_sweep

METHODS = {
    "dense": {"kind": "dense"},
    "random": {"kind": "criterion", "criterion": "random"},
    "l1": {"kind": "criterion", "criterion": "l1"},
    "integral": {"kind": "integral"},
    "tuned": {"kind": "integral", "tune": {"steps": 5}},
}


@pytest.fixture
def plan(tiny_sweep, write_sweep):
    def make(*overrides, environment=ENVIRONMENT):
        sweep = {**copy.deepcopy(tiny_sweep), "methods": METHODS}
        return plan_sweep(load_sweep(write_sweep(sweep), overrides), environment)

    return make
