import sys

import pytest

from jobs.errors import BadInputError
from workers.observations import find_observation, observation


@observation(needs="images")
def own(module, channel_map, batches):
    return {}


def undeclared(module, channel_map, batches):
    return {}


def test_an_observation_of_the_users_own_is_found_by_its_import_path(monkeypatch):
    monkeypatch.setitem(sys.modules, "own_observations", sys.modules[__name__])
    assert find_observation("own_observations:own") is own
    with pytest.raises(BadInputError, match="is no observation; put @"):
        find_observation("own_observations:undeclared")


def test_an_unknown_name_is_an_error():
    with pytest.raises(BadInputError, match="did you mean 'gradients'"):
        find_observation("gradient")
