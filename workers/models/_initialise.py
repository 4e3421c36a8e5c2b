"""Weight initialisation of the zoo's networks. The caller seeds torch's generator."""

import torch
from torch import nn


@torch.no_grad()
def initialise(model: nn.Module) -> None:
    """Draw the weights of convolutions anew, so that ReLUs keep the size of the signal.

    A weight is normal with the variance 2 / (inputs of one output), a bias is zero (He et al. 2015, arXiv:1502.01852,
    section 2.2, equation 10). The rest stays as torch makes it: batch norms have scale 1 and shift 0, and linear layers
    start smaller than this, since no ReLU follows the logits.

    Args:
        model: Changed in place.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                module.bias.zero_()
