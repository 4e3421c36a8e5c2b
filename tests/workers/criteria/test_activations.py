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
    "chip": "independence",
}


@pytest.mark.parametrize("criterion", READS)
def test_it_is_the_statistic_of_that_name_and_no_other(judge, three_filters, statistics, criterion):
    observed = statistics(READS.values())
    scores = judge(criterion, three_filters, observed=observed)
    assert torch.equal(scores["0"], observed[READS[criterion]]["0"])
