import pytest

from workers.allocation import Design
from workers.allocation.depth import design_template, follow_template, stages
from workers.channels import find_groups
from workers.models import build


def test_a_stage_is_what_computes_at_one_resolution(staged):
    assert stages(staged) == {"0": 0, "1": 0, "2": 1, "3": 2}


def test_a_template_is_the_mean_over_groups_and_designs(staged):
    designs = [
        Design(channel_map=staged, widths={"0": 5, "1": 9, "2": 10, "3": 40}),
        Design(channel_map=staged, widths={"0": 5, "1": 5, "2": 16, "3": 20}),
    ]
    # First stage (0.5 + 0.9) / 2 and 0.5; then 0.5 and 0.8; 1 and 0.5.
    assert design_template(designs) == pytest.approx([0.6, 0.65, 0.75])


def test_other_numbers_of_stages_are_met_at_equal_depth(staged):
    assert follow_template(staged, [0.2, 1.0]) == pytest.approx({"0": 0.2, "1": 0.2, "2": 0.6, "3": 1.0})
    assert follow_template(staged, [0.5]) == pytest.approx(dict.fromkeys(staged.widths(), 0.5))


def test_a_selection_belongs_to_the_stage_that_reads_it():
    found = find_groups(build("densenet", {"growth": 3, "layers": 2, "channel_selection": True}), (3, 8, 8))
    of = stages(found)
    assert [of[f"features.block{block}.{layer}.select.index"] for block in (1, 2) for layer in (0, 1)] == [0, 0, 1, 1]
    assert of["features.transition1.0.index"] == 0
