"""What options say about the networks of a sweep."""

import click
import pytest
from chosen_networks import ACCURACY, stored_results
from click.testing import CliRunner

from jobs.errors import BadInputError
from orchestrator.commands.selecting import find_network, reason, selection, selection_options, settle
from orchestrator.results.selection import Requirements
from orchestrator.store import open_store


def asked(*arguments: str):
    """The selection that a command line says."""
    found = []

    @click.command()
    @selection_options
    def command(**options):
        found.append(selection(options))
        assert options == {}  # nothing is left that the command does not know

    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found[0]


@pytest.fixture
def sweep(tiny_sweep, write_sweep, tmp_path) -> str:
    path = write_sweep(tiny_sweep)
    results = {("dense", 0.0): 0.97, ("l1", 0.2): 0.968, ("l1", 0.4): 0.9}
    stored_results(open_store(tmp_path / "store"), path, results)
    return str(path)


def chosen(sweep: str, *arguments: str) -> str:
    return find_network(sweep, "", asked(*arguments)).selected.candidate.label


class TestWhatIsLeftOpen:
    def test_without_limits_the_smallest_within_one_unit_is_meant(self):
        assert settle(Requirements(method="l1"), None) == (Requirements(method="l1", within=1.0), "params")

    @pytest.mark.parametrize("limit", ["max_params", "max_macs", "max_latency_s", "compression"])
    def test_where_the_cost_is_limited_the_best_metric_is_meant(self, limit):
        wanted = Requirements(**{limit: 0.5})
        assert settle(wanted, None) == (wanted, None)

    def test_where_both_are_limited_the_smallest_is_meant(self):
        wanted = Requirements(within=2.0, max_params=10)
        assert settle(wanted, None) == (wanted, "params")

    def test_a_cost_that_is_named_is_meant(self):
        assert settle(Requirements(max_params=10), "macs")[1] == "macs"


class TestReason:
    def test_it_has_all_limits_with_their_units(self):
        wanted = Requirements(within=0.5, max_params=2e6, max_latency_s=0.003)
        assert reason(wanted, "latency", ACCURACY) == (
            "least latency, within 0.5 % of the dense network, at most 2,000,000 parameters and 3 ms"
        )

    def test_it_names_the_metric(self):
        assert reason(Requirements(max_macs=10), None, ACCURACY) == "best accuracy, at most 10 multiply-accumulates"


class TestFindNetwork:
    def test_the_best_one_is_the_smallest_within_one_unit(self, sweep):
        assert chosen(sweep, "--best") == "net/l1 at 20 %"
        assert chosen(sweep, "--best", "--within", "10") == "net/l1 at 40 %"

    def test_the_best_one_under_a_limit_has_the_best_metric(self, sweep):
        assert chosen(sweep, "--best", "--max-params", "90") == "net/l1 at 20 %"
        assert chosen(sweep, "--best", "--max-params", "90", "--by", "params") == "net/l1 at 40 %"

    def test_one_that_is_named_needs_no_best(self, sweep):
        assert chosen(sweep, "--method", "l1", "--compression", "0.4") == "net/l1 at 40 %"

    def test_several_are_listed_with_what_tells_them_apart(self, sweep):
        with pytest.raises(BadInputError, match=r"2 networks are like that: net/l1 at 20 %; net/l1 at 40 %; name one"):
            chosen(sweep, "--method", "l1")

    def test_milliseconds_become_seconds(self):
        assert asked("--max-latency", "2.5").wanted.max_latency_s == 0.0025

    def test_a_sweep_without_results_says_what_computes_them(self, tiny_sweep, write_sweep, tmp_path):
        path = write_sweep(tiny_sweep)
        stored_results(open_store(tmp_path / "store"), path, {})
        with pytest.raises(BadInputError, match="no point is measured yet; `orchard run` computes them"):
            chosen(str(path), "--best")
