import pytest

from workers.integral.sizes import sample_sizes

WIDTHS = {"conv1": 16, "conv2": 40}


def test_a_resumed_run_draws_the_same():
    drawn = [sample_sizes(7, step, WIDTHS, 0.5) for step in range(20)]
    assert [sample_sizes(7, step, WIDTHS, 0.5) for step in range(10, 20)] == drawn[10:]


def test_seeds_steps_and_groups_differ():
    widths = {"a": 10**6, "b": 10**6}
    drawn = [size for seed in (0, 1) for step in (0, 1) for size in sample_sizes(seed, step, widths, 0.0).values()]
    assert len(set(drawn)) == 8


def test_other_groups_change_nothing():
    assert sample_sizes(0, 3, {"conv2": 40}, 0.5)["conv2"] == sample_sizes(0, 3, WIDTHS, 0.5)["conv2"]


def test_every_size_of_the_range_is_drawn_about_as_often():
    # 9 sizes from 8 to 16 in 1,800 draws: 200 each, with a standard deviation of 13.
    drawn = [sample_sizes(0, step, WIDTHS, 0.5)["conv1"] for step in range(1800)]
    assert set(drawn) == set(range(8, 17))
    assert all(140 < drawn.count(size) < 260 for size in set(drawn))


@pytest.mark.parametrize(("fraction", "low"), [(0.0, 1), (0.01, 1), (0.51, 9), (1.0, 16)])
def test_the_smallest_size_is_rounded_up(fraction, low):
    assert min(sample_sizes(0, step, {"a": 16}, fraction)["a"] for step in range(300)) == low


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_a_fraction_that_is_none(fraction):
    with pytest.raises(ValueError, match="low_fraction"):
        sample_sizes(0, 0, WIDTHS, fraction)
