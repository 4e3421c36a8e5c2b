"""Optimizers: from a recipe to one over all parameters that have `requires_grad`."""

from itertools import chain
from typing import Any, Literal

import torch
from torch import nn

from jobs.errors import BadInputError
from jobs.spec.training import Recipe


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Gradient descent over the parameters that have `requires_grad`.

    Raises:
        BadInputError: There are none, or none that the optimizer is for.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise BadInputError("train: the network has no trainable parameter; set requires_grad on those to train")
    if recipe.optimizer == "muon":
        return _muon(model, trainable, recipe)
    return _ordinary(trainable, recipe, recipe.optimizer)


class Together(torch.optim.Optimizer):
    """Several optimizers, each of its own parameters, as one.

    Their parameter groups are its own, and they keep their state in its: it is saved and restored like any other.

    Args:
        members: The optimizers, none of which has taken a step.
    """

    def __init__(self, *members: torch.optim.Optimizer) -> None:
        groups = list(chain.from_iterable(each.param_groups for each in members))
        super().__init__(groups, {})
        self.param_groups = groups
        self._members = members
        for each in members:
            each.state = self.state

    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch's has overloads for closures
        """A step of each."""
        assert closure is None  # no optimizer here evaluates a loss
        for each in self._members:
            each.step()


def _muon(model: nn.Module, trainable: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """Muon for the matrices of hidden layers, and AdamW for everything else (Jordan 2024, Liu et al. 2025).

    Its steps are scaled to the size of AdamW's (arXiv:2502.16982, section 2.2), so that both have one learning rate.
    """
    hidden = {id(each) for each in hidden_matrices(model)}
    matrices = [each for each in trainable if id(each) in hidden]
    others = [each for each in trainable if id(each) not in hidden]
    if not matrices:
        raise BadInputError(
            "train: optimizer muon is for matrices of hidden linear layers, and the network has none that is trained "
            "(convolutions, embeddings and the last linear layer are none); set optimizer: adamw, or sgd"
        )
    muon = torch.optim.Muon(
        matrices,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        adjust_lr_fn="match_rms_adamw",
    )
    if not others:
        return muon
    return Together(muon, _ordinary(others, recipe, "adamw"))


def _ordinary(
    parameters: list[nn.Parameter], recipe: Recipe, kind: Literal["sgd", "adam", "adamw"]
) -> torch.optim.Optimizer:
    groups = _groups(parameters, recipe)
    fused = recipe.fused or None  # None: torch chooses by itself
    if kind == "adam":
        return torch.optim.Adam(groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=fused)
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=fused)
    return torch.optim.SGD(
        groups,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        fused=fused,
    )


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The parameters of two axes, without embeddings and the last one, which makes the outputs."""
    embeddings = {id(each.weight) for each in model.modules() if isinstance(each, nn.Embedding | nn.EmbeddingBag)}
    found = [each for each in model.parameters() if each.ndim == 2 and id(each) not in embeddings]
    return found[:-1]


def _groups(parameters: list[nn.Parameter], recipe: Recipe) -> list[dict[str, Any]]:
    """Parameter groups: one, or a second without weight decay."""
    if recipe.decay_norms_and_biases:
        return [{"params": parameters}]
    decayed = [each for each in parameters if each.ndim > 1]
    bare = [each for each in parameters if each.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": bare, "weight_decay": 0.0}]
    return [each for each in groups if each["params"]]
