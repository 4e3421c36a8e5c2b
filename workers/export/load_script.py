"""Loads the network in this folder into your own class; needs torch and safetensors, nothing else.

from load import load
model = load("network", MyNetwork)  # the class, a factory, or an instance of the size that it had before pruning
model = load("network", MyNetwork, MyBackbone)  # of a network that is built around another one
"""

import json
from collections import OrderedDict, abc
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from safetensors.torch import load as read_tensors
from torch import Tensor, nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

Network: TypeAlias = nn.Module | abc.Callable[..., nn.Module]


def load(folder: str | Path, network: Network, *backbones: Network) -> nn.Module:
    """The network at its pruned sizes, in evaluation mode, on the CPU, ready to train on."""
    config = json.loads(Path(folder, "config.json").read_text())
    content = Path(folder, config["weights"]["file"]).read_bytes()
    if sha256(content).hexdigest() != config["weights"]["sha256"]:
        raise ValueError(f"{folder}: {config['weights']['file']} has changed since it was exported")
    model = _built(config, network, *backbones)
    state, modules = read_tensors(content), dict(model.named_modules())
    absent = sorted({path for pair in config["folded"] for path in pair} - modules.keys())
    own = model.state_dict(keep_vars=True)
    built = {name: config["resized"].get(name, list(tensor.shape)) for name, tensor in state.items()}
    differing = [f"{path}: no such layer in the class" for path in absent]
    differing += [f"{name}: only in the class" for name in sorted(own.keys() - built.keys()) if not absent]
    differing += [f"{name}: only in the file" for name in sorted(built.keys() - own.keys()) if not absent]
    both = [(name, list(own[name].shape), built[name]) for name in sorted(own.keys() & built.keys())]
    differing += [f"{name}: {now} in the class, {then} when it was exported" for name, now, then in both if now != then]
    if differing:
        raise ValueError("\n  ".join([f"{folder}: the class is not the one that was exported:", *differing]))
    fresh: dict[int, Tensor] = {}  # so that what is shared stays shared
    for path, module in modules.items():
        for slots in (module._parameters, module._buffers):
            for name, old in slots.items():
                new = state.get(f"{path}.{name}" if path else name)
                if old is not None and new is not None:
                    made = nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new
                    slots[name] = fresh.setdefault(id(old), made)
        for name, value in config["attributes"].get(path, {}).items():
            old = getattr(module, name)
            new = old[tuple(map(slice, value))] if isinstance(old, Tensor) else value  # of a buffer its shape
            setattr(module, name, type(old)(new) if isinstance(new, list) else new)
    if Path(__file__).with_name("headwise.py").exists():  # its attention has heads that torch's layer cannot have
        import_module("headwise").free_heads(model)
    return model.eval()


def _built(config: dict[str, Any], network: Network, *backbones: Network) -> nn.Module:
    """The network before pruning, without the norms that are folded; its backbone, which is built first, likewise."""
    if not isinstance(network, nn.Module):
        around = {"backbone": _built(config["backbone"], *backbones)} if backbones else {}
        network = network(**config["arguments"], **around)
    _make_plain(network)
    if {path for pair in config["folded"] for path in pair} <= dict(network.named_modules()).keys():
        _fold(network, config["folded"])
    return network


def _make_plain(model: nn.Module) -> None:
    """Weights that would be computed in every pass, as under weight norm, become plain: they are stored so."""
    for module in list(model.modules()):
        for name in list(getattr(module, "parametrizations", ())) if parametrize.is_parametrized(module) else []:
            parametrize.remove_parametrizations(module, name, leave_parametrized=True)
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)


def _fold(model: nn.Module, pairs: list[list[str]]) -> None:
    """Batch norms whose numbers are in their layers' weights give way to their activations; those layers get a bias."""
    for layer_path, norm_path in pairs:
        layer, rest = model.get_submodule(layer_path), OrderedDict(model.get_submodule(norm_path).named_children())
        (parent, _, name), weight = norm_path.rpartition("."), layer.get_parameter("weight")
        if layer._parameters.get("bias") is None:
            layer.register_parameter("bias", nn.Parameter(weight.new_zeros(weight.shape[0]), weight.requires_grad))
        setattr(model.get_submodule(parent), name, nn.Sequential(rest) if rest else nn.Identity())
