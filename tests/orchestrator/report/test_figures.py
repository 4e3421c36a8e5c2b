"""The figures of a report, and which of many curves they show."""

import dataclasses
import io

import numpy as np
import pytest
from hand_made import make_curve
from matplotlib.image import imread
from matplotlib.mathtext import MathTextParser

from jobs.metric import Metric
from orchestrator.report import draw_curves
from orchestrator.report.choice import choose
from orchestrator.report.panels import MOST_CURVES, MOST_PANELS
from orchestrator.report.patterns import draw_patterns
from orchestrator.results import Kept


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(imread(io.BytesIO(png), format="png"))[..., :3]


def has_color(image: np.ndarray, color: str) -> bool:
    wanted = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return bool((np.abs(image - wanted).max(axis=-1) < 0.01).any())


def test_figure_is_a_png_with_every_method_in_its_colour(curves):
    image = pixels(draw_curves(curves, "title"))
    assert image.shape[0] > 500
    assert image.shape[1] > 800
    assert has_color(image, "#009E73")  # l1
    assert has_color(image, "#0072B2")  # integral, as a line and as its name
    assert not has_color(image, "#D55E00")  # integral-tuned is not in it


def test_figure_is_the_same_whenever_it_is_drawn(curves):
    assert draw_curves(curves, "title") == draw_curves(curves, "title")


def test_a_panel_more_makes_the_figure_wider(curves):
    other = [make_curve("l1", 0, {0.2: 0.9}, model="other")]
    assert pixels(draw_curves([*curves, *other], "t")).shape[1] > pixels(draw_curves(curves, "t")).shape[1]


@pytest.mark.parametrize("name", ["$_$", "prices $5-$10", r"\$5 $6 $7"])
def test_names_with_dollar_signs_are_no_formulas(name, monkeypatch):
    typeset = []
    monkeypatch.setattr(MathTextParser, "parse", lambda self, words, *others: typeset.append(words))
    curve = make_curve(name, 0, {0.2: 0.9, 0.4: 0.5}, model=name, protocol=name)
    layers = {"channels": Kept(left={name: 3}, full={name: 4})}
    metric = Metric(name="accuracy", label=name, direction="higher", unit=name)
    points = tuple(dataclasses.replace(each, kept=layers, objective=(metric,)) for each in curve.points)
    curve = dataclasses.replace(curve, points=points)
    draw_curves([curve], name)
    draw_patterns([curve], name)
    assert not typeset


@pytest.mark.parametrize("curves", [[], [make_curve("l1", 0, {0.2: None})], [make_curve("dense", 0, {0.0: 0.9})]])
def test_figure_of_little_is_drawn_too(curves):
    assert pixels(draw_curves(curves, "title")).min() < 0.5  # some ink


def test_ten_own_methods_are_drawn():
    assert draw_curves([make_curve(f"mine{index}", 0, {0.1: 0.9, 0.2: 0.8}) for index in range(10)], "title")


class TestManyCurves:
    def test_figures_show_the_best_methods_on_the_first_models(self, many):
        shown = choose(many)
        names = dict.fromkeys(curve.plan.method for curve in shown.curves)
        assert [*names] == [*(f"m{number:02}" for number in range(MOST_CURVES)), "dense"]
        assert {curve.plan.model for curve in shown.curves} == {f"net{number:02}" for number in range(MOST_PANELS)}
        assert shown.extent == "12 of 20 models and the best 12 of 20 methods"

    def test_a_methods_place_counts_where_it_was_measured(self):
        """One that is measured at its best point alone is not worse for that."""
        models = [f"net{number}" for number in range(MOST_PANELS)]
        curves = [
            make_curve(f"m{n:02}", 0, {0.2: 0.9, 0.4: 0.5 - n / 100}, model=model)
            for n in range(MOST_CURVES)
            for model in models
        ]
        late = make_curve("late", 0, {0.2: None, 0.4: 0.6}, model="net3")
        assert late in choose([*curves, late]).curves

    def test_one_model_has_as_many_panels_as_several(self):
        """Three times twelve methods, each with a colour of its own."""
        curves = [make_curve(f"m{n:02}", 0, {0.2: 0.9 - n / 100}) for n in range(40)]
        assert choose(curves).extent == "the best 36 of 40 methods"

    def test_few_are_all_shown(self, curves):
        assert (choose(curves).curves, choose(curves).extent) == (curves, "")
