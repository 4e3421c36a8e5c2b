"""Unstructured magnitude pruning: masks of the smallest single weights (Han et al. 2015, arXiv:1506.02626)."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from jobs.rounds import Schedule, gone_after
from workers.sparsity.masks import Masks

Scope = Literal["global", "layer"]


def prunable_weights(model: nn.Module, *, linear: bool = False) -> list[str]:
    """The weights that may be removed: those of convolutions, the first one too (Liu et al. 2019, arXiv:1810.05270).

    Everything else stays; linear layers, the classifier among them, unless `linear` is set. Shared weights have one
    name.

    Args:
        model: The network.
        linear: Whether those of linear layers may be removed, too.
    """
    kinds = (_ConvNd, nn.Linear) if linear else (_ConvNd,)
    weights = {id(module.weight) for module in model.modules() if isinstance(module, kinds)}
    return [name for name, parameter in model.named_parameters() if id(parameter) in weights]


def magnitude_masks(
    weights: Mapping[str, Float[Tensor, "*_shape"]], *, removed: int, scope: Scope, present: Masks | None = None
) -> dict[str, Bool[Tensor, "*_shape"]]:
    """Masks that remove the smallest weights.

    The largest weight of every tensor stays, so that no layer is empty. Of equal weights the first ones go.

    Args:
        weights: The tensors that may lose weights; without any there are no masks.
        removed: Number of weights removed in total, at least 0.
        scope: `global`: the smallest of all; `layer`: the same fraction of every tensor, rounded so that the sum is
            `removed` as far as possible.
        present: Masks of earlier rounds; weights removed there are removed first. Default: none.

    Raises:
        ValueError: More weights than possible should be removed.
    """
    total, most = sum(map(Tensor.numel, weights.values())), sum(each.numel() - 1 for each in weights.values())
    if not 0 <= removed <= most:
        raise ValueError(f"{removed} of {total} weights should be removed; 0..{most} can be")
    magnitudes = {name: _magnitudes(each, (present or {}).get(name)) for name, each in weights.items()}
    if scope == "global":
        return _cut(magnitudes, removed)
    masks: dict[str, Tensor] = {}
    gone = seen = 0
    for name, each in magnitudes.items():
        seen += each.numel()
        share = min(round(removed * seen / total) - gone, each.numel() - 1)
        masks |= _cut({name: each}, share)
        gone += share
    return masks


def _magnitudes(weight: Tensor, present: Tensor | None) -> Tensor:
    """Absolute values; -1 for removed weights, infinite for the largest, which stays."""
    row = weight.detach().abs().flatten().double()
    if present is not None:
        row = row.masked_fill(~present.flatten(), -1)
    row[row.argmax()] = torch.inf
    return row.reshape(weight.shape)


def _cut(magnitudes: Mapping[str, Tensor], removed: int) -> dict[str, Tensor]:
    """Masks without the `removed` smallest weights of all tensors together."""
    if not magnitudes:
        return {}
    row = torch.cat([each.flatten() for each in magnitudes.values()])
    kept = torch.ones(len(row), dtype=torch.bool)
    kept[row.argsort(stable=True)[:removed]] = False
    pieces = kept.split([each.numel() for each in magnitudes.values()])
    return {name: piece.reshape(each.shape) for (name, each), piece in zip(magnitudes.items(), pieces, strict=True)}


def removed_after(round_number: int, rounds: int, *, removed: int, total: int, schedule: Schedule = "geometric") -> int:
    """Number of weights removed after a round.

    Args:
        round_number: From 1.
        rounds: Number of rounds.
        removed: Number of weights removed after the last one.
        total: Number of weights in the beginning.
        schedule: How many go in which round.
    """
    return round(total * gone_after(round_number, rounds, total=removed / total, schedule=schedule))
