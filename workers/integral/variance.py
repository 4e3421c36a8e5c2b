"""Variance repair: gives the outputs of a resampled network the variance that its batch norms say they should have.

A new channel is a sum s_1 y_1 + ... + s_n y_n of old ones. Its mean is the same sum of means, but its variance is
v = sum_ij s_i s_j rho_ij sigma_i sigma_j: below t = sum_i s_i sigma_i^2 unless the channels are fully correlated. From
weights and norms alone: the slices that a layer's outputs read their inputs with, each scaled so that it has the
variance sigma_i^2 for the dense network's inputs, are resampled as the weights are, on both axes, and give v for the
smaller network's inputs. The derivation is in docs/decisions/0017-variance-repair.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from workers.channels import ChannelMap, restrict
from workers.integral.correlation import correlations, outputs_only, variances
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
        known = {layer: each for layer, each in moments.variances.items() if _changes(channel_map, layer)}
        self._norms = {layer: norm for layer, norm in norms if _changes(channel_map, layer)}
        self._folded, self._moments, self._whole = list(known), moments, channel_map
        names = [f"{layer}.weight" for layer in (*known, *self._norms)]
        self._map = replace(channel_map, tensors={name: channel_map.tensors[name] for name in names})
        weights = {name: state[name].detach() for name in names}
        # What others read of an output lies behind its norm, which a folded one is part of.
        scales = {layer: _scale(state, norm) for layer, norm in self._norms.items()}
        written = known | {layer: scale.square() for layer, scale in scales.items()}
        signs = {f"{layer}.weight": scale.sign() for layer, scale in scales.items()}
        self._written = {
            name: _lengthened(each, _squares(each), written[_layer(name)], signs.get(name))
            for name, each in weights.items()
        }
        alike = correlations(self._written, self._map)
        wanted = known | {layer: state[f"{norm}.running_var"] for layer, norm in self._norms.items()}
        self._slices = {
            name: _lengthened(each, variances(each, self._map.tensors[name], alike), wanted[_layer(name)])
            for name, each in weights.items()
        }

    def __call__(
        self, resampled: Mapping[str, Tensor], nodes: Mapping[str, Float[Tensor, " _"]], quadrature: Quadrature
    ) -> dict[str, Tensor]:
        """The tensors, corrected; those that are not concerned are passed through.

        Args:
            resampled: Tensors of the resampled network.
            nodes: Group name -> the nodes that it was sampled at.
            quadrature: What it was sampled with.
        """
        smaller = restrict(self._map, {name: len(each) for name, each in nodes.items()})
        wanted = self._moments.resampled(self._whole, nodes, quadrature)
        written = resample(self._written, outputs_only(self._map), nodes, quadrature)
        lengths = {layer: wanted.variances[layer] for layer in self._folded}
        lengths |= {layer: _scale(resampled, norm).square() for layer, norm in self._norms.items()}
        written = {name: _lengthened(each, _squares(each), lengths[_layer(name)]) for name, each in written.items()}
        alike = correlations(written, outputs_only(smaller))
        slices = resample(self._slices, self._map, nodes, quadrature)
        found = {_layer(name): variances(each, smaller.tensors[name], alike) for name, each in slices.items()}
        result = dict(resampled)
        for layer in self._folded:
            weight, bias = resampled[f"{layer}.weight"], resampled[f"{layer}.bias"]
            factor = _factor(wanted.variances[layer], found[layer])
            result[f"{layer}.weight"] = weight * _along(factor, weight)
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


def _lengthened(
    weight: Float[Tensor, "n ..."],
    found: Float[Tensor, " n"],
    wanted: Float[Tensor, " n"],
    signs: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, "n ..."]:
    """The slices of a layer's outputs, scaled from one variance to another, and given signs."""
    least = torch.finfo(weight.dtype).tiny
    factor = (wanted.to(weight).clamp_min(least) / found.clamp_min(least)).sqrt()
    return weight * _along(factor if signs is None else factor * signs, weight)


def _squares(weight: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
    """The variance of each output for inputs that are uncorrelated and of variance 1."""
    return weight.flatten(1).square().sum(1)


def _along(values: Float[Tensor, " n"], weight: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
    """Values of outputs in the shape that goes with a weight."""
    return values.reshape(-1, *[1] * (weight.ndim - 1)).to(weight.dtype)


def _scale(state: Mapping[str, Tensor], norm: str) -> Float[Tensor, " n"]:
    """The scale of a norm, which is 1 where it has none."""
    weight = state.get(f"{norm}.weight")
    return torch.ones_like(state[f"{norm}.running_var"]) if weight is None else weight.detach()


def _layer(weight: str) -> str:
    return weight.removesuffix(".weight")


def _changes(channel_map: ChannelMap, layer: str) -> bool:
    """Whether a layer reads or writes channels of groups, and its weight is used in no other way."""
    layouts = channel_map.tensors.get(f"{layer}.weight", ())
    return bool(layouts) and layouts[0].role == "output"
