"""A pruned network of a user's own class, in the folder that an export writes."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from exported_folders import write_folder
from torch import Tensor, nn

from workers.channels import apply_folding_structure, find_groups, fold_batchnorm, fold_state, norm_eps, select
from workers.export.structure import shapes_of
from workers.inputs import InputSpec
from workers.models import build
from workers.network import NetworkRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    recipe: NetworkRecipe
    state: dict[str, Tensor]
    module: nn.Module
    folder: Path
    outputs: Tensor


def images() -> Tensor:
    return torch.rand(3, 1, 6, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def pruned(tmp_path_factory) -> Pruned:
    """It is left with 5 of 8 channels of the stem, and 11 of 16 of the second group."""
    torch.manual_seed(0)
    name, arguments, shape = "own_network:Own", {"width": 8}, (1, 6, 6)
    model = build(name, arguments).eval()
    model.norm.running_mean.uniform_(-1, 1)
    original = shapes_of(model.state_dict())
    pairs = fold_batchnorm(model, shape)
    state = fold_state(model.state_dict(), pairs, norm_eps(model, pairs))
    apply_folding_structure(model, pairs)
    model.load_state_dict(state)
    groups = {group.name: group for group in find_groups(model, shape).groups}
    kept = {"stem": torch.arange(0, 5), "point": torch.arange(3, 14)}
    assert kept.keys() == groups.keys()
    smaller = select(state, find_groups(model, shape), kept)
    recipe = NetworkRecipe(network=name, arguments=arguments, inputs=InputSpec.of_shape(shape), folded=tuple(pairs))
    folder = tmp_path_factory.mktemp("exported")
    module = write_folder(folder, recipe, smaller, original)
    with torch.inference_mode():
        outputs = module(images())
    return Pruned(recipe=recipe, state=smaller, module=module, folder=folder, outputs=outputs)
