"""Statistics repair: gives every layer's outputs the mean and the variance that the dense network's say.

Both networks see one batch of unlabelled inputs. What the dense network's layers write gives moments by channel, which
are sampled like biases; a scale and a shift for each channel give them to the smaller network, layer after layer within
a single pass, so that each corrects what those before it left. Batch norms that stay keep what they know of all data:
their statistics move by as much as what they read differs between the two networks.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workers.channels import ChannelMap
from workers.inputs import Inputs, call
from workers.integral.norm_inputs import deviation_factor, following_inputs, measuring_inputs, norms_of
from workers.integral.outputs import Layer, channel_axis, measure_outputs, moments_of, watching
from workers.integral.quadrature import Quadrature
from workers.integral.resample import resample


@torch.inference_mode()
def match_statistics(
    smaller: nn.Module,
    dense: nn.Module,
    channel_map: ChannelMap,
    nodes: Mapping[str, Float[Tensor, " _"]],
    quadrature: Quadrature,
    inputs: Inputs,
) -> None:
    """Match mean and variance of all outputs of layers with a bias, and the statistics of batch norms; in place.

    A network that is as large as the dense one stays as it is.

    Left as they are: layers without a bias, which a norm follows as a rule; layers that are called several times, or
    whose tensors others share; norms that are called several times.

    Args:
        smaller: The resampled network in evaluation mode.
        dense: The network that it was resampled from, in evaluation mode.
        channel_map: Channel groups of the dense network.
        nodes: Group name -> the nodes that it was sampled at.
        quadrature: What it was sampled with.
        inputs: A batch, on the device of both.
    """
    layers = {name: dense.get_submodule(name) for name in _layers(dense)}
    with measuring_inputs(norms_of(dense)) as read:
        measured = measure_outputs(layers, lambda: call(dense, inputs))
    of_norms = replace(channel_map, tensors={name: each for name, each in channel_map.tensors.items() if name in read})
    wanted = measured.resampled(channel_map, nodes, quadrature)

    def correct(name: str, layer: Layer, outputs: Tensor) -> Tensor:
        mean, variance = moments_of(layer, outputs)
        factor = deviation_factor(wanted.variances[name], variance)
        shift = wanted.means[name] - factor * mean
        weight, bias = layer.weight, layer.bias
        weight.copy_(weight * factor.reshape(-1, *[1] * (weight.ndim - 1)))
        if bias is not None:
            bias.copy_(factor * bias + shift)
        return outputs * _spread(layer, outputs, factor) + _spread(layer, outputs, shift)

    with ExitStack() as stack:
        stack.enter_context(watching({name: smaller.get_submodule(name) for name in measured.means}, correct))
        stack.enter_context(following_inputs(norms_of(smaller), resample(read, of_norms, nodes, quadrature)))
        call(smaller, inputs)


def _layers(module: nn.Module) -> list[str]:
    """Layers with a bias whose tensors are their own."""
    owners: dict[int, int] = {}
    for tensor in module.state_dict(keep_vars=True).values():
        owners[id(tensor)] = owners.get(id(tensor), 0) + 1
    return [
        name
        for name, layer in module.named_modules()
        if isinstance(layer, Layer)
        and layer.bias is not None
        and all(owners.get(id(each), 1) == 1 for each in (layer.weight, layer.bias))
    ]


def _spread(layer: Layer, outputs: Tensor, values: Float[Tensor, " c"]) -> Tensor:
    """Values of channels in the shape that goes with the outputs."""
    shape = [1] * outputs.ndim
    shape[channel_axis(layer, outputs)] = len(values)
    return values.to(outputs.dtype).reshape(shape)
