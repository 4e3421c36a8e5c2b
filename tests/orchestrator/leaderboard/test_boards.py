from dataclasses import replace

import pytest
from ranked import entry, sweep

from jobs.errors import BadInputError
from jobs.metric import Metric
from orchestrator.leaderboard.boards import boards_of
from orchestrator.leaderboard.levels import Level

TWICE = Level(cost="MACs", ratio="speedup", factor=2.0)
RMSE = Metric(name="rmse", label="RMSE", direction="lower")


def ranking(*entries, level=TWICE):
    (board,) = boards_of([sweep(*entries)], [level])
    return board.rankings[0]


def same(value: float, seeds=3) -> dict[int, dict[float, float]]:
    return {seed: {1.5: value, 3.0: value} for seed in range(seeds)}


def test_the_best_mean_comes_first_whichever_direction_is_better():
    rows = ranking(entry("poor", same(0.5)), entry("good", same(0.8))).rows
    assert [row.entry.method for row in rows] == ["good", "poor"]
    rows = ranking(entry("poor", same(0.8), metric=RMSE), entry("good", same(0.5), metric=RMSE)).rows
    assert [row.entry.method for row in rows] == ["good", "poor"]


def test_mean_deviation_and_difference_to_dense_are_over_the_seeds():
    (row,) = ranking(entry("l1", {0: {2.0: 0.8}, 1: {2.0: 0.6}})).rows
    assert row.value == pytest.approx(0.7)
    assert row.deviation == pytest.approx(0.141421, rel=1e-4)
    assert row.change == pytest.approx(-0.2)
    assert row.seconds == 10.0


def test_without_the_dense_network_there_is_no_difference_to_it():
    (board,) = boards_of([sweep(entry("l1", same(0.5), dense=None, seconds=None))], [TWICE])
    assert (board.dense, board.rankings[0].rows[0].change, board.rankings[0].rows[0].seconds) == (None, None, None)


def test_seeds_that_share_their_networks_are_one_result_without_a_deviation():
    shared = entry("fold", same(0.8), shared=True)
    rows = ranking(shared, entry("also", same(0.7), shared=True)).rows
    assert [(len(row.found), row.num_networks, row.deviation) for row in rows] == [(3, 1, None), (3, 1, None)]
    assert rows[1].test.pairs == 1


def test_the_others_are_tested_against_the_first_in_pairs_of_equal_seeds():
    first = entry("first", {0: {2.0: 0.9}, 1: {2.0: 0.8}, 2: {2.0: 0.85}})
    second = entry("second", {0: {2.0: 0.8}, 1: {2.0: 0.72}, 3: {2.0: 0.9}})
    rows = ranking(first, second).rows
    assert rows[0].test is None
    assert rows[1].test.pairs == 2
    assert rows[1].test.p == pytest.approx(0.0704, abs=1e-3)  # differences -0.1 and -0.08: t = 9 with one degree


def test_what_has_no_points_on_both_sides_does_not_reach_the_level():
    found = ranking(entry("far", {0: {2.5: 0.9, 3.0: 0.9}}), entry("near", {0: {1.9: 0.5, 2.1: 0.5}}))
    assert [row.entry.method for row in found.rows] == ["near"]
    assert [each.method for each in found.unreached] == ["far"]


def test_of_an_overview_those_with_the_better_places_come_first():
    one, two = entry("one", {0: {2.0: 0.5, 4.0: 0.5}}), entry("two", {0: {2.0: 0.6}})
    (board,) = boards_of([sweep(two, one)], [TWICE, Level(cost="MACs", ratio="speedup", factor=4.0)])
    assert [each.method for each in board.entries] == ["two", "one"]  # places 1 and 2 beside 2 and 1: as they came
    (board,) = boards_of([sweep(two, replace(one, networks=entry("one", same(0.7)).networks))], [TWICE])
    assert [each.method for each in board.entries] == ["one", "two"]


def test_methods_of_several_sweeps_are_on_one_board_and_what_both_have_is_there_once():
    both = [sweep(entry("l1", same(0.5))), sweep(entry("l1", same(0.5), sweep="b"), entry("x", same(0.6)), name="b")]
    (board,) = boards_of(both, [TWICE])
    assert [(each.sweep, each.method) for each in board.entries] == [("first", "x"), ("first", "l1")]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (sweep(entry("l1", same(0.5))), "is given twice"),
        (sweep(entry("l1", same(0.5), metric=RMSE), name="b"), "different metrics: accuracy in first, RMSE in b"),
        (
            sweep(entry("l1", same(0.5)), name="b", data={"dataset": "digits", "test_images": 100}),
            "test_images is None in first, 100 in b",
        ),
        (sweep(entry("l1", same(0.5)), name="b", digest="other"), "have different dense networks"),
        (sweep(entry("l1", same(0.5)), name="b", content="x"), "the content of its data differs: c in first, x in b"),
    ],
)
def test_sweeps_that_cannot_be_compared_are_refused(other, words):
    with pytest.raises(BadInputError, match=words):
        boards_of([sweep(entry("l1", same(0.5))), other])


def test_dense_networks_are_compared_between_all_sweeps_in_any_order():
    one = sweep(entry("l1", {0: {1.5: 0.5, 3.0: 0.5}}))
    others = [
        sweep(entry("l1", {1: {1.5: 0.5, 3.0: 0.5}}, sweep=name), name=name, digest=name, seed=1) for name in "bc"
    ]
    for order in ([one, *others], [*others, one]):
        with pytest.raises(BadInputError, match="b and c have different dense networks"):
            boards_of(order)


def test_sweeps_whose_data_are_not_known_are_compared_and_hide_no_difference_of_others():
    unknown = sweep(entry("l1", same(0.5)), content="")
    known = [sweep(entry("l1", same(0.5), sweep=name), name=name, content=name) for name in "bc"]
    assert len(boards_of([unknown, known[0]])) == 1
    with pytest.raises(BadInputError, match="the content of its data differs: b in b, c in c"):
        boards_of([unknown, *known])
