"""What a proof cuts at a time."""

import pytest

from workers.channels.cuts import lone_cuts, separate_cuts


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_each_group_is_cut_in_three_rounds_and_in_one_of_them_without_any_other(count):
    widths = {f"layer{number}": 9 for number in range(count)}
    rounds = list(separate_cuts(widths, list(widths)))
    assert len(rounds) < 3 * count + 1
    for name in widths:
        mine = [cuts for cuts in rounds if name in cuts]
        assert sorted(cuts[name] for cuts in mine) == [4, 7, 8]
        assert all(any(other not in cuts for cuts in mine) for other in widths.keys() - {name})


def test_each_group_is_cut_alone_by_every_amount():
    cuts = list(lone_cuts({"one": 9, "two": 9, "other": 5}, ["one", "two"]))
    assert cuts == [{name: width} for name in ("one", "two") for width in (8, 7, 4)]


def test_a_group_of_one_channel_is_not_cut():
    assert [*separate_cuts({"single": 1}, ["single"]), *lone_cuts({"single": 1}, ["single"])] == []
