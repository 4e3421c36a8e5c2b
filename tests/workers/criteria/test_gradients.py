import pytest
import torch

READS = {"taylor": "batch_square", "snip": "connection", "loss-change": "loss_change"}


@pytest.fixture
def observed(statistics):
    return statistics([*READS.values(), "square"])


@pytest.mark.parametrize("criterion", READS)
def test_it_is_the_statistic_of_that_name_and_no_other(judge, three_filters, observed, criterion):
    scores = judge(criterion, three_filters, observed=observed)
    assert torch.equal(scores["0"], observed[READS[criterion]]["0"])


def test_fisher_is_half_the_mean_square(judge, three_filters, observed):
    assert torch.equal(judge("fisher", three_filters, observed=observed)["0"], observed["square"]["0"] / 2)
