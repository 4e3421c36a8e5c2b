"""Mean and variance of what layers write, as batch norms tell them, by channel.

A norm that was folded into a layer leaves no trace in the layer's tensors; what it knew of the output is kept here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load, save
from torch import Tensor, nn

from workers.channels import ChannelMap, norm_eps, select
from workers.channels.slicing import UnitNumbers
from workers.integral.quadrature import Quadrature
from workers.integral.resample import resample

_MEAN, _VARIANCE = "mean:", "variance:"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMoments:
    """Mean and variance over data and positions of every output of some layers; laid out as the layers' biases.

    Attributes:
        means: Dotted name of a layer -> mean of each of its outputs.
        variances: The same of their variances.
    """

    means: Mapping[str, Float[Tensor, " _"]]
    variances: Mapping[str, Float[Tensor, " _"]]

    @classmethod
    def read(cls, content: bytes) -> OutputMoments:
        """The moments that `bytes` gave."""
        tensors = load(content)
        return cls(means=_named(tensors, _MEAN), variances=_named(tensors, _VARIANCE))

    def to_bytes(self) -> bytes:
        """The content of a safetensors file."""
        named = {f"{_MEAN}{layer}": each for layer, each in self.means.items()}
        named |= {f"{_VARIANCE}{layer}": each for layer, each in self.variances.items()}
        return save({name: each.detach().cpu().contiguous() for name, each in named.items()})

    def to(self, device: torch.device | str) -> OutputMoments:
        """The same on a device."""
        return OutputMoments(
            means={layer: each.to(device) for layer, each in self.means.items()},
            variances={layer: each.to(device) for layer, each in self.variances.items()},
        )

    def select(self, channel_map: ChannelMap, index: Mapping[str, UnitNumbers]) -> OutputMoments:
        """The moments of the network that `workers.channels.select` makes with the same arguments."""
        biases = bias_map(channel_map, self.means)
        return OutputMoments(
            means=_layers(select(_biases(self.means), biases, index)),
            variances=_layers(select(_biases(self.variances), biases, index)),
        )

    def resampled(
        self, channel_map: ChannelMap, nodes: Mapping[str, Float[Tensor, " _"]], quadrature: Quadrature
    ) -> OutputMoments:
        """The functions on the groups' axes, sampled at nodes as `resample` samples biases; no variance below 0.

        The means are those of the resampled network's outputs, since a mean is linear; the variances are what those
        outputs should have, not what they have. Differentiable in the nodes.
        """
        biases = bias_map(channel_map, self.means)
        means = resample(_biases(self.means), biases, nodes, quadrature)
        variances = resample(_biases(self.variances), biases, nodes, quadrature)
        return OutputMoments(
            means=_layers(means), variances={name: each.clamp_min(0) for name, each in _layers(variances).items()}
        )


def folded_moments(module: nn.Module, pairs: Sequence[tuple[str, str]]) -> OutputMoments:
    """What batch norms that are about to be folded say of the outputs of their layers.

    After a norm a channel has the mean beta and the variance gamma^2 var / (var + eps).

    Args:
        module: The network, with the norms in place.
        pairs: (layer, norm), as of `fold_batchnorm`.
    """
    eps, means, variances = norm_eps(module, pairs), {}, {}
    for layer, name in pairs:
        norm: Any = module.get_submodule(name)
        variance = norm.running_var.detach().double()
        kept = variance / (variance + eps[name])
        scale = torch.ones_like(kept) if norm.weight is None else norm.weight.detach().double()
        means[layer] = torch.zeros_like(kept) if norm.bias is None else norm.bias.detach().double()
        variances[layer] = kept * scale.square()
    return OutputMoments(
        means={layer: each.float().cpu() for layer, each in means.items()},
        variances={layer: each.float().cpu() for layer, each in variances.items()},
    )


def bias_map(channel_map: ChannelMap, layers: Collection[str]) -> ChannelMap:
    """The map of the biases of some layers alone; of those whose outputs are channels of groups."""
    names = {f"{layer}.bias" for layer in layers}
    return replace(channel_map, tensors={name: each for name, each in channel_map.tensors.items() if name in names})


def _biases(moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{layer}.bias": each for layer, each in moments.items()}


def _layers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removesuffix(".bias"): each for name, each in state.items()}


def _named(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
