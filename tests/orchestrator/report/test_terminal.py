"""Tables that fit the terminal, and say what was removed of what."""

import io
from dataclasses import replace

import pytest
from planned import planned_curve
from rich.console import Console

from orchestrator.planning import PlannedPoint
from orchestrator.report import summary_tables
from orchestrator.results import METRICS, Curve, Point

ASKED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


def make_curve(method: str, removed: float | None = None) -> Curve:
    """`removed` of the MACs at all targets; by default what was asked for."""
    planned = tuple(PlannedPoint(compression=asked, key=f"{method}{asked}") for asked in ASKED)
    plan = planned_curve(method, planned)
    points = tuple(
        Point(
            asked=each.compression,
            key=each.key,
            metrics=dict.fromkeys(METRICS, 1.0)
            | {
                "accuracy": 1 - each.compression,
                "compression": each.compression / 2,
                "speedup": 1 / (1 - (each.compression if removed is None else removed)),
            },
            created_s=1.0,
        )
        for each in planned
    )
    return Curve(plan=plan, points=points)


CURVES = [make_curve(f"a-long-method{number}") for number in range(9)]


def printed(curves, width: int, target="macs") -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(*summary_tables(curves, target))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_all_numbers_and_names_are_whole_in_every_terminal(width):
    lines = printed(CURVES, width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert all(words.count(f"{90 - number * 10}.0") == len(CURVES) for number in range(len(ASKED)))
    assert all(curve.plan.method in words for curve in CURVES)


def test_it_says_what_was_asked_and_what_was_really_removed():
    lines = printed([make_curve("l1"), make_curve("best", removed=0.5)], 100)
    assert lines[0] == "Accuracy (%) by MACs removed, mean ± standard deviation"
    assert lines[2].split() == ["model", "removed", "parameters", "l1", "best"]
    assert lines[4].split() == ["net", "10", "%", "5", "%", "90.0", "90.0", "@50%"]
    assert lines[-1] == "@N%: N % of the MACs were really removed, not what was asked for."


def test_what_was_removed_is_told_of_parameters_too():
    curve = make_curve("l1")
    points = tuple(replace(each, metrics={**each.metrics, "compression": each.asked}) for each in curve.points)
    lines = printed([replace(curve, points=points)], 100, target="parameters")
    assert not any("@" in line for line in lines)
    assert any("@20%" in line for line in printed([curve], 100, target="parameters"))  # 40 % were asked for


def test_a_training_that_stopped_in_its_race_has_a_dagger():
    whole, curve = make_curve("l1"), make_curve("other")
    first, *others = curve.points
    early = replace(first, metrics={**first.metrics, "stopped_after": 0.3})
    lines = printed([whole, replace(curve, points=(early, *others))], 100)
    assert lines[4].split() == ["net", "10", "%", "5", "%", "90.0", "90.0", "†"]
    assert "†" not in "".join(lines[5:-1])
    assert lines[-1] == "†: out of its race, so that its training stopped early."
    assert "†" not in "".join(printed([whole], 100))
