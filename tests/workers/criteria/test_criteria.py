"""Properties of all criteria."""

from dataclasses import replace

import pytest
import torch

from jobs.errors import BadInputError
from workers.criteria import CRITERIA, Criterion, criterion, find_criterion
from workers.data import Split
from workers.models import build
from workers.objectives.classification import objective
from workers.observations import OBSERVATIONS, Batches

CLASSIFICATION = objective()

NETWORKS = {
    "resnet": ("resnet", {"widths": [4, 6]}),
    "densenet": ("densenet", {"growth": 3, "layers": 2}),
    "selecting": ("densenet", {"growth": 3, "layers": 2, "channel_selection": True}),
    "plain": ("plain", {"widths": [4]}),
}


@pytest.fixture(scope="module", params=NETWORKS.values(), ids=NETWORKS)
def observed_network(request, evidence):
    """A network, evidence of all four observations together, and its state before them."""
    network, arguments = request.param
    torch.manual_seed(0)
    module = build(network, {**arguments, "in_channels": 1}).eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    given = evidence(module)
    split = Split(images=torch.rand(4, 1, 8, 8), targets=torch.zeros(4, dtype=torch.int64))
    batches = Batches(split, CLASSIFICATION, 3, device=torch.device("cpu"), labelled=True)
    observed = {}
    for observation in OBSERVATIONS.values():
        observed |= observation(module, given.channel_map, batches)
    return module, replace(given, observed=observed), before


@pytest.mark.parametrize("name", CRITERIA)
def test_every_unit_of_every_group_gets_a_score(observed_network, name):
    module, evidence, before = observed_network
    scores = CRITERIA[name](evidence)
    assert {name: tuple(values.shape) for name, values in scores.items()} == {
        group.name: (group.width,) for group in evidence.channel_map.groups
    }
    assert all(values.dtype == torch.float64 and values.isfinite().all() for values in scores.values())
    # Not one of them may go unscored: an untouched zero would be removed first.
    assert all((values != 0).any() for values in scores.values())
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert not module.training


def test_a_statistic_that_was_not_observed_is_an_error(evidence):
    given = evidence(build("plain", {"widths": [4], "in_channels": 1}), observed={"rank": {}})
    with pytest.raises(BadInputError, match="asks for the statistic 'mean'; its observation has rank"):
        given.statistic("mean")


@criterion(reads="ranks")
def own(evidence):
    return {}


def undeclared(evidence):
    return {}


def test_a_criterion_of_the_users_own_is_found_by_its_import_path(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "own_criteria", sys.modules[__name__])
    found = find_criterion("own_criteria:own")
    assert isinstance(found, Criterion)
    assert found.reads == "ranks"
    with pytest.raises(BadInputError, match="is no criterion; put @"):
        find_criterion("own_criteria:undeclared")


def test_an_unknown_name_is_an_error():
    with pytest.raises(BadInputError, match="did you mean 'taylor'"):
        find_criterion("tailor")
