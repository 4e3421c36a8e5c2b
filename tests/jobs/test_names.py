import pkgutil
from typing import get_args

import torch
import torchvision

import workers.objectives
from jobs import names
from jobs.spec.effort import EFFORTS
from jobs.spec.fold import FoldMethod
from jobs.spec.reconstruction import ReconstructionMethod
from workers.criteria import CRITERIA
from workers.data.load import DATASETS
from workers.fold import CLUSTERINGS
from workers.models._registry import ZOO
from workers.observations import OBSERVATIONS
from workers.ordering import METHODS, order_channels
from workers.reconstruction import METHODS as RECONSTRUCTIONS


def test_the_names_of_networks_are_those_of_the_zoo():
    assert set(names.NETWORKS) == set(ZOO)


def test_the_names_of_data_sets_are_those_that_can_be_read():
    assert set(names.DATASETS) == set(DATASETS)


def test_the_names_of_objectives_are_those_of_their_modules():
    modules = {module.name for module in pkgutil.iter_modules(workers.objectives.__path__)}
    assert {name.replace("-", "_") for name in names.OBJECTIVES} == {name for name in modules if name[0] != "_"}


def test_the_names_of_criteria_are_those_that_score_and_say_what_they_read():
    assert dict(names.CRITERIA) == {name: criterion.reads for name, criterion in CRITERIA.items()}


def test_the_names_of_observations_are_those_that_there_are():
    assert set(names.OBSERVATIONS) == set(OBSERVATIONS)
    assert {reads for reads in names.CRITERIA.values() if reads} == set(OBSERVATIONS)


def test_the_names_of_reconstructions_are_those_that_there_are():
    assert set(get_args(ReconstructionMethod.model_fields["how"].annotation)) == set(RECONSTRUCTIONS)


def test_the_names_of_clusterings_are_those_that_there_are():
    assert set(get_args(FoldMethod.model_fields["clustering"].annotation)) == set(CLUSTERINGS)
    assert set(names.CLUSTERINGS_THAT_DRAW) <= set(CLUSTERINGS)


def test_the_drawn_orderings_are_those_that_follow_the_seed():
    slices = [torch.randn(12, 30, generator=torch.Generator().manual_seed(0))]
    limits = EFFORTS["fast"]
    same = {
        method
        for method in METHODS
        if len({order_channels(slices, method=method, seed=seed, limits=limits).order for seed in range(2)}) == 1
    }
    assert set(METHODS) - same <= set(names.DRAWN_ORDERINGS) <= set(METHODS)


def test_the_names_of_torchvision_are_its_own():
    listed = torchvision.models.list_models(module=torchvision.models)
    assert set(names.TORCHVISION_NETWORKS) == set(listed)
    listed = torchvision.models.list_models(module=torchvision.models.segmentation)
    assert set(names.TORCHVISION_SEGMENTATION) == set(listed)
    listed = torchvision.models.list_models(module=torchvision.models.detection)
    assert names.TORCHVISION_DETECTION | names.TORCHVISION_REFUSED.keys() == set(listed)
