import pytest
from torch import nn

from workers.allocation import ALLOCATIONS, Design, allocate
from workers.allocation.depth import design_template, follow_template, stages
from workers.channels import find_groups
from workers.models import build


@pytest.fixture(scope="module")
def staged():
    # Two convolutions at 4 x 4 places, one at 2 x 2, one at 1 x 1.
    layers = [
        nn.Conv2d(1, 10, 1),
        nn.Conv2d(10, 10, 1),
        nn.Conv2d(10, 20, 2, stride=2),
        nn.Conv2d(20, 40, 2, stride=2),
        nn.Conv2d(40, 1, 1),
    ]
    return find_groups(nn.Sequential(*layers), (1, 4, 4))


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


def test_the_proportions_stay_and_the_target_is_met(staged, ask):
    found = allocate(ALLOCATIONS["template"], ask(staged, 0.4), {"fractions": [0.25, 0.5, 0.5]})
    kept = {name: width / staged.widths()[name] for name, width in found.widths.items()}
    assert found.reached == pytest.approx(0.4, abs=0.02)  # one channel of the last stage is 1.5 % of the network
    assert kept["0"] / kept["3"] == pytest.approx(0.5, abs=0.07)  # one channel of ten is much


def test_no_group_grows_beyond_its_width(staged, ask):
    found = allocate(ALLOCATIONS["template"], ask(staged, 0.02), {"fractions": [0.5, 1.0, 1.0]})
    assert found.widths["3"] <= 40
    assert found.reached == pytest.approx(0.02, abs=0.01)


def test_guided_widths_have_the_proportions_of_what_was_found(staged, ask):
    design = Design(channel_map=staged, widths={"0": 10, "1": 10, "2": 10, "3": 10})
    guided = allocate(ALLOCATIONS["guided"], ask(staged, 0.5, designs=lambda: [design]))
    template = allocate(ALLOCATIONS["template"], ask(staged, 0.5), {"fractions": [1.0, 0.5, 0.25]})
    assert guided.widths == template.widths


def test_a_selection_belongs_to_the_stage_that_reads_it():
    found = find_groups(build("densenet", {"growth": 3, "layers": 2, "channel_selection": True}), (3, 8, 8))
    of = stages(found)
    assert [of[f"features.block{block}.{layer}.select.index"] for block in (1, 2) for layer in (0, 1)] == [0, 0, 1, 1]
    assert of["features.transition1.0.index"] == 0
