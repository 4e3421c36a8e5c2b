"""Synaptic flow (SynFlow): data-free saliency of a unit (Tanaka et al. 2020, arXiv:2006.05467, equation 4)."""

import torch

from workers.criteria._base import Evidence, Scores, criterion
from workers.criteria.filters import absolute_sums, filter_names
from workers.inputs import call
from workers.nested import floats_of


@criterion()
def synflow(evidence: Evidence) -> Scores:
    """Sum of |w dR/dw| over the filter of a unit, where R is the sum of the outputs for a sample of ones.

    Whole numbers among the inputs, such as tokens, are random.

    The network computes in double precision with the absolute values of its parameters. Batch norms are linear: they
    scale by |gamma| / sqrt(variance + eps) and shift by |beta|, and their means are zero. So no signal is negative, and
    activations such as ReLU let it pass. One shot: the iterations of the paper belong to an allocation.
    """
    module, inputs = evidence.network()
    module = module.double().requires_grad_(True)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.abs_()
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.zero_()
    parameters = dict(module.named_parameters())
    names = filter_names(evidence.channel_map)
    with torch.enable_grad():
        outputs = floats_of(call(module, inputs.draw(1, evidence.generator, torch.float64, floats="ones")))
        flow = torch.stack([output.sum() for output in outputs]).sum()
        gradients = torch.autograd.grad(flow, [parameters[name] for name in names], materialize_grads=True)
    products = {name: parameters[name] * gradient for name, gradient in zip(names, gradients, strict=True)}
    return absolute_sums(products, evidence.channel_map)
