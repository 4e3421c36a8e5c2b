"""Variance repair: gives the outputs of a resampled network the variance that its batch norms say they should have.

A new channel is a sum s_1 y_1 + ... + s_n y_n of old ones. Its mean is the same sum of means, but its variance is
v = sum_ij s_i s_j rho_ij sigma_i sigma_j: below t = sum_i s_i sigma_i^2 unless the channels are fully correlated. From
weights and norms alone: the slices that a layer's outputs read their inputs with, each scaled to the length sigma_i,
have the dot products rho_ij sigma_i sigma_j; resampled as the weights are, on both axes, they have the squared lengths
v. The derivation is in docs/decisions/0017-variance-repair.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap
from workers.integral.moments import OutputMoments
from workers.integral.quadrature import Quadrature
from workers.integral.resample import resample

_LARGEST = 5.0
"""No output is enlarged more; channels that cancel each other have no direction to enlarge."""


class VarianceRepair:
    """Corrects the tensors of a network that `resample` made; differentiable in them and in the nodes.

    A layer whose norm was folded gets weights times c = sqrt(t / v), and the bias that keeps the mean. A norm that was
    kept behind its layer gets v as its running variance. All other layers stay as they are.

    Args:
        state: Tensors of the network before it is resampled.
        channel_map: Its channel groups.
        moments: Of the outputs of layers whose norms were folded; on the device of the tensors.
        norms: (layer, norm) where a norm was kept and reads nothing but the layer's output.
    """

    def __init__(
        self,
        state: Mapping[str, Tensor],
        channel_map: ChannelMap,
        moments: OutputMoments,
        norms: Sequence[tuple[str, str]] = (),
    ) -> None:
        known = dict(moments.variances)
        self._norms = {layer: norm for layer, norm in norms if _changes(channel_map, layer)}
        known |= {layer: state[f"{norm}.running_var"] for layer, norm in self._norms.items()}
        known = {layer: each for layer, each in known.items() if _changes(channel_map, layer)}
        self._channel_map, self._moments = channel_map, moments
        self._layers = [layer for layer in known if layer not in self._norms]
        self._weights = replace(
            channel_map, tensors={f"{layer}.weight": channel_map.tensors[f"{layer}.weight"] for layer in known}
        )
        self._slices = {
            f"{layer}.weight": _of_variance(state[f"{layer}.weight"].detach(), each) for layer, each in known.items()
        }

    def __call__(
        self, resampled: Mapping[str, Tensor], nodes: Mapping[str, Float[Tensor, " m"]], quadrature: Quadrature
    ) -> dict[str, Tensor]:
        """The tensors, corrected; those that are not concerned are passed through.

        Args:
            resampled: Tensors of the resampled network.
            nodes: Group name -> the nodes that it was sampled at.
            quadrature: What it was sampled with.
        """
        slices = resample(self._slices, self._weights, nodes, quadrature)
        found = {name.removesuffix(".weight"): each.flatten(1).square().sum(1) for name, each in slices.items()}
        wanted = self._moments.resampled(self._channel_map, nodes, quadrature)
        result = dict(resampled)
        for layer in self._layers:
            weight, bias = resampled[f"{layer}.weight"], resampled[f"{layer}.bias"]
            factor = _factor(wanted.variances[layer], found[layer])
            result[f"{layer}.weight"] = weight * factor.reshape(-1, *[1] * (weight.ndim - 1)).to(weight.dtype)
            mean = wanted.means[layer]
            result[f"{layer}.bias"] = (mean + factor * (bias - mean)).to(bias.dtype)
        for layer, norm in self._norms.items():
            variance = resampled[f"{norm}.running_var"]
            result[f"{norm}.running_var"] = torch.maximum(found[layer].to(variance), variance / _LARGEST**2)
        return result


def _factor(wanted: Float[Tensor, " m"], found: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """From the deviation that outputs have to the one that they should have, at most `_LARGEST`."""
    least = torch.finfo(found.dtype).tiny
    factor: Tensor = (wanted.clamp_min(least) / found.clamp_min(least)).sqrt().clamp_max(_LARGEST)
    return factor


def _of_variance(weight: Float[Tensor, "n ..."], variance: Float[Tensor, " n"]) -> Float[Tensor, "n ..."]:
    """The slices of a layer's outputs, each scaled so that its squares sum to the output's variance.

    The dot product of two is then their covariance for inputs that are uncorrelated and of equal variance.
    """
    rows = weight.flatten(1)
    norms = rows.norm(dim=1).clamp_min(torch.finfo(rows.dtype).tiny)
    return (rows * (variance.to(rows).sqrt() / norms)[:, None]).reshape(weight.shape)


def _changes(channel_map: ChannelMap, layer: str) -> bool:
    """Whether a layer reads or writes channels of groups, and its weight is used in no other way."""
    layouts = channel_map.tensors.get(f"{layer}.weight", ())
    return bool(layouts) and layouts[0].role == "output"
