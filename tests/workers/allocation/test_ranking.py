import pytest

from workers.allocation import ALLOCATIONS, allocate

SCORES = {"0": [9.0, 8.0, 7.0, 6.0], "1": [1.0, 5.0, 2.0, 3.0]}


def widths(question, **settings):
    return allocate(ALLOCATIONS["global"], question, settings).widths


def test_the_lowest_scores_of_all_go_first(chain, ask):
    # 1 and 2 are the lowest, both in "1": 4 + 4 x 2 + 2 x 2 = 16 of 28 parameters stay.
    assert widths(ask(chain, 12 / 28, scores=SCORES), floor=0.0) == {"0": 4, "1": 2}


def test_a_group_keeps_its_floor(chain, ask):
    # Half of "1" stays, so that the third channel to go is the worst of "0": 3 + 3 x 2 + 2 x 2 = 13 of 28 stay.
    assert widths(ask(chain, 15 / 28, scores=SCORES), floor=0.5) == {"0": 3, "1": 2}
    assert widths(ask(chain, 17 / 28, scores=SCORES), floor=0.0) == {"0": 4, "1": 1}  # 4 + 4 + 2 = 10 is nearest to 11


def test_one_channel_stays_without_a_floor(chain, ask):
    assert widths(ask(chain, 0.85, scores={"0": [1.0] * 4, "1": [1.0] * 4}), floor=0.0) == {"0": 1, "1": 1}


def test_nothing_goes_at_zero(chain, ask):
    assert widths(ask(chain, 0.0, scores=SCORES)) == {"0": 4, "1": 4}


def test_scores_can_be_compared_relative_to_their_group(chain, ask):
    # Divided by the means 5 and 0.5, "0" has 0.2, 0.6 and "1" has 0.4 as its lowest.
    scores = {"0": [1.0, 3.0, 8.0, 8.0], "1": [0.2, 0.6, 0.6, 0.6]}
    question = ask(chain, 5 / 28, scores=scores)  # one channel of "0" is 1 + 4 parameters, one of "1" is 4 + 2
    assert widths(question, normalize="group") == {"0": 3, "1": 4}
    assert widths(question) == {"0": 4, "1": 3}


@pytest.mark.parametrize("target", [0.1, 0.3, 0.5, 0.7])
def test_it_is_the_plain_cut_that_comes_nearest(chain, ask, target):
    order = sorted((score, name) for name, values in SCORES.items() for score in values)
    question, cuts, left = ask(chain, target, scores=SCORES), [], {"0": 4, "1": 4}
    for _, name in [*order, (0, None)]:
        cuts.append(dict(left))
        if name is None or left[name] == 1:
            continue
        left[name] -= 1
    nearest = min(cuts, key=lambda cut: abs(question.cost(cut) - (1 - target) * 28))
    assert widths(question, floor=0.0) == nearest
