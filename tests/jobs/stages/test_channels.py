from dataclasses import replace

import pytest
from plain_tasks import ORDERING

from jobs.stages.base import ArtifactKey
from jobs.stages.channels import OrderParams, PermuteParams


def permute(seed=0, **ordering):
    return PermuteParams(network=ArtifactKey("converted"), ordering=replace(ORDERING, **ordering), seed=seed)


def groups(**widths):
    """What a converted network measures that has groups of such widths."""
    return {"groups": [{"name": name, "width": width} for name, width in widths.items()]}


def test_a_wide_group_has_an_order_task_of_its_own():
    branches = permute().branches(groups(stem=128, body=256))
    assert [branch.params.groups for branch in branches] == [("stem",), ("body",)]
    assert [branch.name for branch in branches] == ["stem", "body"]


def test_narrow_groups_share_tasks_of_at_most_256_channels():
    # 100 + 100 fit, with 57 more they do not: the third opens the next task, where 120 and 79 fill 256 exactly.
    branches = permute().branches(groups(a=100, wide=512, b=100, c=57, d=120, e=79, f=1))
    assert [branch.params.groups for branch in branches] == [("wide",), ("a", "b"), ("c", "d", "e"), ("f",)]
    assert [branch.name for branch in branches][1:3] == ["a and 1 more", "c and 2 more"]
    assert branches[1].work == 2 * 100**2


def test_no_groups_no_order_tasks():
    assert permute().branches(groups()) == []


def test_the_larger_group_is_more_work():
    small, large = permute().branches(groups(stem=128, body=256))
    assert large.work > small.work


def test_order_tasks_know_all_that_their_order_depends_on():
    (branch,) = permute(seed=7, method="random").branches(groups(stem=128))
    ordering = replace(ORDERING, method="random")
    assert branch.params == OrderParams(network=ArtifactKey("converted"), groups=("stem",), ordering=ordering, seed=7)


def test_the_converted_network_tells_the_groups():
    assert permute().source == "converted"


def test_what_lists_no_groups_is_refused():
    with pytest.raises(KeyError):
        permute().branches({})
    with pytest.raises(KeyError):
        permute().branches({"groups": [{"name": "a"}]})


def test_simulations_pretend_some_groups():
    params = permute()
    assert len(params.branches(params.placeholder_measurements())) > 1
