"""Which curves are in which panel."""

from orchestrator.report.panels import MOST_CURVES, divide, panel_title


def labels(**counts: int) -> list[tuple[str, str]]:
    return [(f"m{number}", protocol) for protocol, count in counts.items() for number in range(count)]


def sizes(**counts: int) -> list[int]:
    return [len(panel) for panel in divide(labels(**counts))]


def test_a_dozen_is_one_panel_and_more_are_several_of_at_most_a_dozen():
    assert sizes(none=MOST_CURVES) == [12]
    assert sizes(none=13) == [6, 7]
    assert sizes() == []


def test_protocols_stay_together_and_small_ones_share_a_panel():
    assert sizes(none=8, ft=8, scratch=3) == [8, 11]
    assert sizes(ft=5, none=20) == [10, 10, 5]


def test_titles_tell_panels_apart():
    panels = divide(labels(ft=5, none=20))
    assert [panel_title(panel, panels) for panel in panels] == ["none, 1 of 2", "none, 2 of 2", "ft"]
    panels = divide(labels(none=13))
    assert [panel_title(panel, panels) for panel in panels] == ["1 of 2", "2 of 2"]
    assert panel_title(labels(none=2), [labels(none=2)]) == ""
