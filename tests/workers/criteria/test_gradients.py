import pytest
import torch

READS = {"taylor": "batch_square", "snip": "connection", "loss-change": "loss_change"}


HALVES = {"fisher": "square", "obd": "curvature"}


@pytest.fixture
def observed(statistics):
    return statistics([*READS.values(), *HALVES.values()])


@pytest.mark.parametrize("criterion", READS)
def test_it_is_the_statistic_of_that_name_and_no_other(judge, three_filters, observed, criterion):
    scores = judge(criterion, three_filters, observed=observed)
    assert torch.equal(scores["0"], observed[READS[criterion]]["0"])


def test_the_absolute_change_of_the_loss_has_no_sign(judge, three_filters):
    observed = {"loss_change": {"0": torch.tensor([-3.0, 1.0, 0.0])}}
    assert judge("absolute-loss-change", three_filters, observed=observed)["0"].tolist() == [3, 1, 0]


@pytest.mark.parametrize("criterion", HALVES)
def test_it_is_half_the_statistic_of_that_name(judge, three_filters, observed, criterion):
    assert torch.equal(judge(criterion, three_filters, observed=observed)["0"], observed[HALVES[criterion]]["0"] / 2)
