"""Which curves look how."""

from itertools import product

from orchestrator.report.styles import MOST_METHODS, Style, level_styles, styles_of


def test_a_hue_per_method_and_a_line_style_and_marker_per_protocol():
    styles = styles_of(product(("random", "integral"), ("none", "ft")))
    assert styles["random", "ft"].color == styles["random", "none"].color != styles["integral", "ft"].color
    assert styles["random", "ft"].dashes == styles["integral", "ft"].dashes != styles["integral", "none"].dashes == ()
    assert styles["random", "ft"].marker == styles["integral", "ft"].marker != styles["integral", "none"].marker == "o"


def test_no_two_of_as_many_curves_as_figures_show_are_the_same():
    methods = ["l1", "random", *(f"mine{number}" for number in range(MOST_METHODS - 2))]
    styles = styles_of(product(methods, (f"protocol{number}" for number in range(40))))
    assert len(set(styles.values())) == MOST_METHODS * 40


def test_a_method_keeps_its_hue_when_others_come_and_go():
    alone, among = (styles_of((name, "none") for name in names) for names in (["mine"], ["l1", "mine", "random"]))
    assert alone["mine", "none"] == among["mine", "none"]
    assert among["l1", "none"].color == "#009E73"  # in every figure


def test_words_are_darker_than_lines_that_are_light():
    assert Style(color="#E69F00", dashes=(), marker="o").ink < "#E69F00"
    assert Style(color="#195742", dashes=(), marker="o").ink == "#195742"


def test_dense_networks_and_baselines_have_dashes_of_their_own():
    styles = level_styles([("dense", "none"), ("bicubic", "none"), ("dense", "transfer")])
    assert len(set(styles.values())) == 3
