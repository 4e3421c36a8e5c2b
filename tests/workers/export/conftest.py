"""A pruned network of a user's own class, in the folder that an export writes."""

import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from workers.channels import apply_folding_structure, find_groups, fold_batchnorm, fold_state, norm_eps, select
from workers.export import load_script
from workers.export.description import CONFIG_FILE, EXPORTED_WEIGHTS_FILE, NetworkDescription, WeightsFile
from workers.export.structure import rebuild_compared, shapes_of
from workers.models import build
from workers.network import NetworkRecipe, state_bytes

CLASS = '''
from torch import nn


class Own(nn.Module):
    """A stem whose norm is folded, a depthwise convolution, a layer norm, and a parameter of its own."""

    def __init__(self, width=8):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.point = nn.Conv2d(width, 2 * width, 1)
        self.last = nn.LayerNorm(2 * width)
        self.head = nn.Linear(2 * width, 3)

    def forward(self, images):
        features = self.point(self.depthwise(self.norm(self.stem(images)).relu()).relu())
        return self.head(self.last(features.mean((2, 3))))
'''


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
def own_class(tmp_path_factory):
    """The class as the module `own_networks`."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "own_networks.py").write_text(CLASS)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("own_networks", None)


@pytest.fixture(scope="session")
def pruned(own_class, tmp_path_factory) -> Pruned:
    """It is left with 5 of 8 channels of the stem, and 11 of 16 of the second group."""
    torch.manual_seed(0)
    name, arguments, shape = "own_networks:Own", {"width": 8}, (1, 6, 6)
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
    recipe = NetworkRecipe(network=name, arguments=arguments, input_shape=shape, folded=tuple(pairs))
    module, structure = rebuild_compared(recipe, smaller, original)
    folder = tmp_path_factory.mktemp("exported")
    weights = state_bytes(smaller)
    description = NetworkDescription(
        network=name,
        arguments=arguments,
        input_shape=shape,
        normalize=None,
        weights=WeightsFile(file=EXPORTED_WEIGHTS_FILE, sha256=sha256(weights).hexdigest()),
        folded=recipe.folded,
        resized=structure.resized,
        attributes=structure.attributes,
    )
    (folder / CONFIG_FILE).write_text(description.to_json())
    (folder / EXPORTED_WEIGHTS_FILE).write_bytes(weights)
    (folder / "load.py").write_bytes(Path(load_script.__file__).read_bytes())
    with torch.inference_mode():
        outputs = module(images())
    return Pruned(recipe=recipe, state=smaller, module=module, folder=folder, outputs=outputs)
