"""Whether channels rank as in Torch-Pruning, where both define the same criterion.

torchvision's ResNet-18 and DenseNet-121 with random weights and batch norms, on groups that one layer produces, where
Torch-Pruning's scores of that layer alone (`group_reduction="first"`) are defined as ours are: l1, l2, LAMP, and SNIP
(its Taylor with `multivariable=False`) on one batch of random images; and batch-norm scale, summed over a group. Its
FPGM is another criterion (distances between powers of absolute weights), and so is its Taylor with `multivariable=True`
(of weights, without the norm behind them). Figures by network and criterion: `order`, the least Spearman correlation
over the groups; `groups`, how many were compared.

Torch-Pruning is no part of the project: have it importable (`pip install --no-deps --target DIR torch-pruning`, then
PYTHONPATH=DIR). --quick leaves DenseNet-121 out.
"""

import argparse
import copy
import json
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from workers.channels import ChannelMap, find_groups
from workers.criteria import CRITERIA, Evidence
from workers.data import Split
from workers.inputs import InputSpec
from workers.models import build
from workers.objectives.classification import objective
from workers.observations import OBSERVATIONS, Batches

CLASSIFICATION = objective()

SHAPE = (3, 64, 64)
COMPARED = ("l1", "l2", "lamp", "snip", "batchnorm-scale")


def spearman(first: Tensor, second: Tensor) -> float:
    """Rank correlation of two vectors."""
    ranks = [values.double().argsort(stable=True).argsort(stable=True).double() for values in (first, second)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def network(name: str) -> nn.Module:
    """A network whose batch norms are not those of a fresh one."""
    torch.manual_seed(0)
    module = build(f"torchvision:{name}")
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    return module.eval()


def ours(module: nn.Module, channel_map: ChannelMap, split: Split) -> dict[str, Mapping[str, Tensor]]:
    """Criterion -> group name -> scores."""
    batches = Batches(split, CLASSIFICATION, len(split), device=torch.device("cpu"), labelled=True)
    evidence = Evidence(
        state=module.state_dict(),
        channel_map=channel_map,
        generator=torch.Generator(),
        network=lambda: (copy.deepcopy(module), InputSpec.of_shape(SHAPE)),
        observed=OBSERVATIONS["gradients"](module, channel_map, batches),
    )
    return {name: CRITERIA[name](evidence) for name in COMPARED}


def theirs(module: nn.Module, layers: list[str], split: Split) -> dict[str, dict[str, Tensor]]:
    """The same by Torch-Pruning, for groups that these layers begin."""
    import torch_pruning

    importance, options = torch_pruning.importance, {"group_reduction": "first", "normalizer": None}
    scorers = {
        "l1": importance.GroupMagnitudeImportance(p=1, **options),
        "l2": importance.GroupMagnitudeImportance(p=2, **options),
        "lamp": importance.LAMPImportance(p=2, group_reduction="first"),
        "snip": importance.GroupTaylorImportance(multivariable=False, **options),
        "batchnorm-scale": importance.BNScaleImportance(group_reduction="sum", normalizer=None),
    }
    labels = split.read_targets(torch.arange(len(split)))
    torch.autograd.backward(functional.cross_entropy(module(split.images), labels))
    graph = torch_pruning.DependencyGraph().build_dependency(module, example_inputs=torch.rand(1, *SHAPE))
    scores: dict[str, dict[str, Tensor]] = {name: {} for name in scorers}
    for name in layers:
        channels = list(range(len(module.get_parameter(f"{name}.weight"))))
        group = graph.get_pruning_group(
            module.get_submodule(name), torch_pruning.prune_conv_out_channels, idxs=channels
        )
        for criterion, scorer in scorers.items():
            scores[criterion][name] = scorer(group)
    return scores


def measure(name: str) -> dict[str, float]:
    """All figures of one network."""
    module = network(name)
    channel_map = find_groups(module, SHAPE)
    split = Split(images=torch.rand(8, *SHAPE), targets=torch.randint(1000, (8,)))
    layers = [
        group.name
        for group in channel_map.groups
        if group.layers == (group.name,) and isinstance(module.get_submodule(group.name), nn.Conv2d)
    ]
    own, other = ours(module, channel_map, split), theirs(module, layers, split)
    figures: dict[str, float] = {}
    for criterion in COMPARED:
        orders = [spearman(own[criterion][layer], other[criterion][layer]) for layer in layers]
        figures[f"{name}.{criterion}.order"] = round(min(orders), 6)
        figures[f"{name}.{criterion}.groups"] = len(orders)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ResNet-18 alone.")
    names = ["resnet18"] if parser.parse_args().quick else ["resnet18", "densenet121"]
    figures: dict[str, float] = {}
    for name in names:
        figures |= measure(name)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
