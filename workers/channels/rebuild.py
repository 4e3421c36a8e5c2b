"""Gives a module tensors of other sizes: rebuilds a pruned network from its factory.

model = factory(); apply_folding_structure(model, pairs); load_resized(model, state)
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from workers.channels.attributes import follow_attached
from workers.channels.headwise import follow_heads


def load_resized(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Gives each module the tensors of a state, whatever their shape. Changes the model in place.

    Afterwards `model.state_dict()` equals the state bit for bit, and channel counts kept as attributes (`in_channels`,
    `num_features` ...) follow, as do those that the network was told of (`attributes.attach`). Tensors are copied, so
    that training the model leaves the state alone. A parameter keeps its `requires_grad` and its device (one on the
    meta device moves to the state's), and stays shared where it was; an optimizer made before does not hold the new
    parameters. What modules have computed of their former tensors is forgotten (`forget_computed`).

    Args:
        model: a network of the right structure.
        state: a tensor for every name in `model.state_dict()`.

    Raises:
        ValueError: names are missing from the state or unexpected; lists all of them. The model is then unchanged.
    """
    expected = model.state_dict(keep_vars=True)
    missing = sorted(expected.keys() - state.keys())
    unexpected = sorted(state.keys() - expected.keys())
    if missing or unexpected:
        raise ValueError(f"state does not fit {type(model).__name__}: missing {missing}, unexpected {unexpected}")
    fresh: dict[int, Tensor] = {}
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        for slots in (module._parameters, module._buffers):
            for name, old in slots.items():
                if old is not None and prefix + name in expected:
                    slots[name] = fresh.setdefault(id(old), _like(old, state[prefix + name]))
        follow_shapes(module)
    follow_attached(model)
    forget_computed(model)


def forget_computed(model: nn.Module) -> None:
    """Has modules compute anew what they keep of their tensors, such as a table of biases looked up once.

    Such a module (the attention of LeViT, EfficientFormer, TinyViT) clears or makes it when it is switched between
    training and evaluation. So the network is switched, and back, if any of its modules has a switch of its own.
    """
    modes = {module: module.training for module in model.modules()}
    if all(type(module).train is nn.Module.train for module in modes):
        return
    before = model.training
    model.train(not before)
    model.train(before)
    for module, mode in modes.items():
        module.training = mode


def _like(old: Tensor, new: Tensor) -> Tensor:
    device = new.device if old.is_meta else old.device
    copied = new.detach().to(device).clone()
    if isinstance(old, nn.Parameter):
        return nn.Parameter(copied, requires_grad=old.requires_grad)
    return copied


def follow_shapes(module: nn.Module) -> None:
    """Sets the attributes that follow from the shapes of a module's tensors."""
    if isinstance(module, _ConvTransposeNd):
        if module.groups > 1:  # whole groups go
            module.groups = module.weight.shape[0] // (module.in_channels // module.groups)
        module.in_channels = module.weight.shape[0]
        module.out_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, _ConvNd):
        if module.groups > 1:
            module.groups = module.weight.shape[0] // (module.out_channels // module.groups)
        module.out_channels = module.weight.shape[0]
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _NormBase):
        sized = module.weight if module.affine else module.running_mean
        module.num_features = module.num_features if sized is None else sized.shape[0]
    elif isinstance(module, nn.GroupNorm) and module.affine:
        if module.num_groups > 1:
            module.num_groups = module.weight.shape[0] // (module.num_channels // module.num_groups)
        module.num_channels = module.weight.shape[0]
    elif isinstance(module, (nn.LayerNorm, nn.RMSNorm)) and module.elementwise_affine:
        module.normalized_shape = tuple(module.weight.shape)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = module.weight.shape[0]
    elif isinstance(module, nn.MultiheadAttention):
        follow_heads(module)
    elif isinstance(module, nn.RNNBase):
        module._flat_weights = [getattr(module, name) for name in module._flat_weights_names]  # what its pass reads
