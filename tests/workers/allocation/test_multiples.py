import pytest
from torch import nn

from workers.allocation import ALLOCATIONS, allocate
from workers.allocation.multiples import move_to_allowed, multiples_of
from workers.channels import find_groups

FULL = {"a": 64, "b": 64, "c": 20}


def allowed(full, multiple):
    return {name: multiples_of(multiple, width) for name, width in full.items()}


def total(widths):
    return float(sum(widths.get(name, width) for name, width in FULL.items()))


def move(widths, target, multiple=8):
    return move_to_allowed(widths, allowed(FULL, multiple), cost=total, target=target)


@pytest.mark.parametrize("target", [0.0, 0.2, 0.35, 0.5, 0.7])
@pytest.mark.parametrize("multiple", [2, 8, 16])
def test_widths_are_multiples_or_full_and_as_near_to_the_target_as_one_multiple(target, multiple):
    widths = {name: max(1, round(width * (1 - target))) for name, width in FULL.items()}
    found = move(widths, target, multiple)
    assert all(width == FULL[name] or width % multiple == 0 for name, width in found.items())
    assert abs(total(found) - (1 - target) * total({})) <= multiple / 2


def test_groups_of_one_width_need_not_go_together():
    # Two thirds of 148 are 99. At one factor for both, 40 + 40 + 8 is the most below that; 48 + 40 + 8 is nearer.
    found = move({"a": 43, "b": 43, "c": 9}, 1 / 3)
    assert sorted(found.values()) == [8, 40, 48]


def test_proportions_stay():
    found = move({"a": 60, "b": 12, "c": 18}, 0.4)
    assert found["a"] > 3 * found["b"]


def test_a_group_narrower_than_the_multiple_stays_full():
    found = move_to_allowed(
        {"a": 3, "b": 32},
        allowed({"a": 5, "b": 64}, 8),
        cost=lambda widths: sum({"a": 5, "b": 64, **widths}.values()),
        target=0.5,
    )
    assert found["a"] == 5


@pytest.mark.parametrize("target", [0.3, 0.5])
@pytest.mark.parametrize(
    ("allocation", "settings", "widths", "multiple"),
    [
        ("best-score", {"multiple": 8}, (20, 20, 20), 2),
        ("global", {"floor": 0.3}, (16, 9, 30), 4),
        ("isomorphic", {"floor": 0.3}, (16, 9, 30), 4),
    ],
)
def test_one_multiple_for_all_widths_leaves_the_allocations_own_floor_and_multiple(
    ask, allocation, settings, widths, multiple, target
):
    layers = [nn.Conv2d(before, after, 1) for before, after in zip((1, *widths), (*widths, 1), strict=True)]
    channel_map = find_groups(nn.Sequential(*layers), (1, 2, 2))
    full = channel_map.widths()
    # The last group matters least, so that the floor is what keeps its channels.
    scores = {name: [100.0**-number] * width for number, (name, width) in enumerate(full.items())}
    found = allocate(ALLOCATIONS[allocation], ask(channel_map, target, scores=scores), settings, multiple=multiple)
    largest = max(multiple, settings.get("multiple", 1))
    assert all(width % largest == 0 or width == full[name] for name, width in found.widths.items())
    assert all(found.widths[name] >= settings.get("floor", 0.1) * width for name, width in full.items())
