"""Makes plain parameters of weights that a network computes anew in every pass, such as those under weight norm."""

from torch import nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm


def with_plain_weights(model: nn.Module) -> nn.Module:
    """A network whose weights are what they are computed as now; in place.

    Channels cannot be cut out of what a weight is computed from: the norm of a whole row or matrix would change. So
    weights are computed once, and from then on they are trained, pruned and stored as they are.

    Args:
        model: In any mode; a spectral norm takes its vectors as they are.

    Returns:
        The same module.
    """
    for module in list(model.modules()):
        for name in list(getattr(module, "parametrizations", {})) if parametrize.is_parametrized(module) else []:
            module.parametrizations.eval()  # type: ignore[union-attr]  # a module, since it is parametrised
            parametrize.remove_parametrizations(module, name, leave_parametrized=True)
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)
    return model
