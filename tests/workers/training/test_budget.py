import pytest

from jobs.errors import BadInputError
from workers.training import scratch_epochs, training_macs


def test_a_training_costs_three_forward_passes_of_each_sample():
    assert training_macs(100, 50) == 3 * 100 * 50


def test_as_many_multiply_accumulates_are_more_epochs_of_a_smaller_network():
    # 160 epochs of 300 are 48,000; of 211 they are 227.49 epochs.
    assert scratch_epochs(160, dense_macs=300, pruned_macs=211) == 227


def test_with_nothing_pruned_the_epochs_stay():
    assert scratch_epochs(160, dense_macs=300, pruned_macs=300) == 160


@pytest.mark.parametrize(("cap", "epochs"), [(2.0, 20), (3.0, 30), (5.0, 40)])
def test_the_cap_is_on_the_ratio(cap, epochs):
    assert scratch_epochs(10, dense_macs=400, pruned_macs=100, cap=cap) == epochs


def test_fine_tuning_is_of_the_pruned_network_and_adds_its_epochs_beyond_the_cap():
    # (10 * 400 + 7 * 100) / 100, and 2 * 10 + 7.
    assert scratch_epochs(10, dense_macs=400, pruned_macs=100, fine_tuning_epochs=7) == 47
    assert scratch_epochs(10, dense_macs=400, pruned_macs=100, cap=2.0, fine_tuning_epochs=7) == 27


def test_a_network_that_costs_nothing_has_no_budget():
    with pytest.raises(BadInputError, match="has 0 multiply-accumulates; prune less of it"):
        scratch_epochs(10, dense_macs=400, pruned_macs=0)
