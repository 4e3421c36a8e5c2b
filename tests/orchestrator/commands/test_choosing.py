"""`orchard best`, as a user sees it."""

import json
import subprocess
import sys

import pytest
from chosen_networks import RMSE, stored_results

from jobs.metric import Metric
from orchestrator.cli import main
from orchestrator.executables import typed
from orchestrator.store import open_store

RESULTS = {("dense", 0.0): 0.97, ("l1", 0.2): 0.968, ("l1", 0.4): 0.9, ("random", 0.2): 0.5}


@pytest.fixture
def sweep(tiny_sweep, write_sweep, tmp_path) -> str:
    """A sweep of which all but one point has results."""
    tiny_sweep["methods"]["random"] = {"kind": "criterion", "criterion": "random"}
    path = write_sweep(tiny_sweep)
    stored_results(open_store(tmp_path / "store"), path, RESULTS)
    return str(path)


@pytest.fixture
def best(sweep, capsys):
    """Runs the command; gives exit code, output and error output."""

    def run(*arguments: str, name: str = sweep) -> tuple[int, str, str]:
        code = 0
        try:
            main(["best", name, *arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def networks(out: str) -> list[tuple[str, float]]:
    return [(each["method"], each["compression"]) for each in json.loads(out)["networks"]]


def test_the_smallest_within_the_tolerance_comes_first_and_its_export_last(best, tmp_path):
    code, out, _ = best()
    lines = [line.rstrip() for line in out.splitlines()]
    assert code == 0
    assert lines[0] == "tiny: least parameters, within 1 % of the dense network"
    assert lines[2].split() == ["model", "method", "removed", "accuracy", "(%)", "to", "dense", "parameters", "MACs"]
    assert [line.split() for line in lines[4:6]] == [
        ["1", "net", "l1", "20", "%", "96.8", "-0.2", "80", "800"],
        ["2", "net", "dense", "0", "%", "97.0", "+0.0", "100", "1,000"],
    ]
    assert "dense net: accuracy 97.0 %, 100 parameters" in lines
    assert "1 of 5 planned points are not measured; `orchard run` computes them." in lines
    assert lines[-1] == (
        f"Export the first one: {typed('orchard')} export tiny --model net --method l1 --compression 0.2 "
        f"--storage {tmp_path / 'store'} --out network"
    )


def test_the_json_describes_every_metric(tiny_sweep, write_sweep, tmp_path, best):
    psnr = Metric(name="psnr", label="PSNR", direction="higher", unit="dB")
    path = write_sweep({**tiny_sweep, "name": "images", "storage": str(tmp_path / "other")}, "images.yaml")
    stored_results(open_store(tmp_path / "other"), path, RESULTS, metric=RMSE, others=(psnr,))
    document = json.loads(best("--json", name=str(path))[1])
    assert document["metric"]["name"] == "rmse"
    assert document["other_metrics"] == [{"name": "psnr", "unit": "dB", "scale": 1.0, "direction": "higher"}]


def test_it_says_on_which_split_the_choice_is_made(best):
    assert "Chosen by results on the test split" in best()[1]


def test_results_on_the_validation_split_are_not_called_test(tiny_sweep, write_sweep, tmp_path, best):
    tiny_sweep["data"]["split"] = "validation"
    path = write_sweep({**tiny_sweep, "name": "validated"}, "validated.yaml")
    stored_results(open_store(tmp_path / "store"), path, RESULTS)
    out = best(name=str(path))[1]
    assert "These are results on the validation split, not on test." in out
    assert json.loads(best("--json", name=str(path))[1])["split"] == "validation"


def test_a_sweep_is_found_by_its_name(best, tmp_path):
    assert networks(best("--json", "--storage", str(tmp_path / "store"), name="tiny")[1])[0] == ("l1", 0.2)


def test_limits_alone_are_ranked_by_the_metric(best):
    assert networks(best("--json", "--max-params", "85")[1]) == [("l1", 0.2), ("l1", 0.4), ("random", 0.2)]


def test_pareto_bounds_nothing_and_leaves_out_what_is_beaten(best):
    code, out, _ = best("--pareto", "--json")
    assert code == 0
    assert networks(out) == [("dense", 0.0), ("l1", 0.2), ("l1", 0.4)]
    assert networks(best("--pareto", "--within", "1", "--by", "params", "--json")[1]) == [("l1", 0.2), ("dense", 0.0)]


def test_a_tolerance_that_none_meets_gives_exit_code_2_and_names_the_best(best):
    code, out, err = best("--method", "random", "--within", "1")
    assert (code, out) == (2, "")
    assert "the best by its metric is net/random at 20 %: accuracy 50.0 %" in err


def test_a_metric_of_which_less_is_better_is_ranked_so(tiny_sweep, write_sweep, tmp_path, best):
    path = write_sweep({**tiny_sweep, "name": "errors", "storage": str(tmp_path / "other")}, "errors.yaml")
    results = {("dense", 0.0): 0.010, ("l1", 0.2): 0.0105, ("l1", 0.4): 0.012}
    stored_results(open_store(tmp_path / "other"), path, results, metric=RMSE)
    # In millimetres: 10, 10.5 and 12.
    assert networks(best("--json", name=str(path))[1]) == [("l1", 0.2), ("dense", 0.0)]
    out = best("--max-params", "90", name=str(path))[1]
    assert out.splitlines()[0].rstrip() == "errors: best RMSE, at most 90 parameters"
    assert ["1", "net", "l1", "20", "%", "10.50", "+0.50", "80", "800"] in [line.split() for line in out.splitlines()]


class TestTimes:
    @pytest.fixture
    def timed(self, tiny_sweep, write_sweep, tmp_path) -> str:
        tiny_sweep["measure"] = {"latency": {"runtime": "onnxruntime"}}
        path = write_sweep({**tiny_sweep, "name": "timed"}, "timed.yaml")
        variants = ("onnxruntime/b1", "onnxruntime-int8/b1")
        stored_results(open_store(tmp_path / "store"), path, RESULTS, variants=variants)
        return str(path)

    def test_latency_and_measured_speedup_stand_beside_the_cost(self, best, timed):
        out = best("--within", "10", "--by", "latency", name=timed)[1]
        rows = [line.split() for line in out.splitlines()]
        assert "ms (onnxruntime/b1)  speedup" in out
        assert ["1", "net", "l1", "40", "%", "90.0", "-7.0", "60", "600", "6.000", "1.67x"] in rows

    def test_a_limit_is_in_milliseconds(self, best, timed):
        assert networks(best("--max-latency", "8", "--json", name=timed)[1]) == [
            ("l1", 0.2),
            ("l1", 0.4),
            ("random", 0.2),
        ]
        assert networks(best("--max-latency", "7", "--json", name=timed)[1]) == [("l1", 0.4)]

    def test_of_8_bits_it_is_said_that_the_metric_is_another_network_s(self, best, timed):
        words = "The latency is that of the networks in 8 bits"
        assert words in best("--latency", "onnxruntime-int8/b1", name=timed)[1]
        assert words not in best(name=timed)[1]


def test_the_command_that_exports_names_the_protocol_where_there_are_several(tiny_sweep, write_sweep, tmp_path, best):
    tiny_sweep["protocols"] = {"repeat": {"kind": "recalibrate"}}
    tiny_sweep["methods"]["l1"]["protocols"] = ["none", "repeat"]
    path = write_sweep({**tiny_sweep, "name": "twice"}, "twice.yaml")
    stored_results(open_store(tmp_path / "store"), path, RESULTS)
    assert "--method l1 --protocol none --compression 0.2 " in best(name=str(path))[1].splitlines()[-1]


def test_it_needs_nothing_heavy(sweep):
    script = (
        "import sys; from orchestrator.cli import main\n"
        f"try: main(['best', {sweep!r}])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'ray', 'mlflow', 'ortools', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
