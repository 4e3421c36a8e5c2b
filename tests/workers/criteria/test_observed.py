"""Criteria that read an observation: each its statistic, nothing else."""

import pytest
import torch

READS = {
    "mean-mean": "mean",
    "mean-std": "std",
    "mean-l1": "l1",
    "mean-l2": "l2",
    "var-l2": "l2_variance",
    "mean-absolute-activation": "absolute",
    "apoz": "active",
    "hrank": "rank",
    "taylor": "batch_square",
    "snip": "connection",
    "loss-change": "loss_change",
}
STATISTICS = [*READS.values(), "square"]


@pytest.fixture
def observed():
    """Every statistic with numbers of its own."""
    return {
        statistic: {"0": torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64) + 10 * number}
        for number, statistic in enumerate(STATISTICS)
    }


@pytest.mark.parametrize("criterion", READS)
def test_it_is_the_statistic_of_that_name(judge, three_filters, observed, criterion):
    scores = judge(criterion, three_filters, observed=observed)
    assert torch.equal(scores["0"], observed[READS[criterion]]["0"])


def test_fisher_is_half_the_mean_square(judge, three_filters, observed):
    assert torch.equal(judge("fisher", three_filters, observed=observed)["0"], observed["square"]["0"] / 2)
