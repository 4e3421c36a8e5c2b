"""Folds batch norm into the convolution or linear layer before it.

The numbers (`fold_state`) and the structure (`apply_folding_structure`) are separate, so that a folded network can
be rebuilt from its factory, the list of pairs and a state. A norm is folded only if it is the sole reader of the
layer's output, and if it is known what it computes (see `batch_norms`); what it calls afterwards stays.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from workers.channels.batch_norms import is_frozen_norm, is_known_norm
from workers.channels.parts import dissect
from workers.channels.rebuild import load_resized
from workers.channels.trace import TracedGraph, arguments_of, layer_name, module_of, trace
from workers.inputs import InputsLike

_CONVOLUTIONS = ("aten::conv1d", "aten::conv2d", "aten::conv3d")
_LAYERS = (*_CONVOLUTIONS, "aten::linear")


def fold_batchnorm(model: nn.Module, inputs: InputsLike, parts: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Pairs (layer, norm) of dotted names that may be folded, in order of execution. The model stays as it is.

    A pair needs a norm with running statistics that is the only reader of the layer's output, and both must be
    called once, by their own modules. The norm is one of torch's, timm's or torchvision's, the layer of a class of
    torch's or of a subclass.

    Args:
        model: the network, in either mode.
        inputs: what it takes.
        parts: dotted names of the parts to look into, where the network cannot be traced whole.

    Raises:
        BadInputError: as `dissect`.
        ValueError: the network or a part cannot be traced.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    shared = _shared(model)
    pairs = []
    for piece in dissect(model, inputs, parts).pieces:
        traced = trace(piece.network, piece.example)
        for node in traced.graph.nodes:
            pair = _pair(traced, node) or _frozen_pair(traced, node, modules)
            if pair is None:
                continue
            layer, norm = (modules.get(name) for name in pair)
            plain = isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)) and _is_norm(norm)
            if plain and not shared & {f"{pair[0]}.weight", f"{pair[0]}.bias", *(f"{pair[1]}.{n}" for n in _NORM)}:
                pairs.append(pair)
    return pairs


_NORM = ("weight", "bias", "running_mean", "running_var")


def _is_norm(module: nn.Module | None) -> bool:
    return is_known_norm(module) or is_frozen_norm(module)


def _frozen_pair(traced: TracedGraph, node: fx.Node, modules: Mapping[str, nn.Module]) -> tuple[str, str] | None:
    """The pair of a frozen batch norm, which multiplies a convolution's output by a computed scale."""
    path = module_of(node)
    if _schema(node) != "aten::mul" or not is_frozen_norm(modules.get(path)):
        return None
    source = next((each for each in node.all_input_nodes if _schema(each) in _CONVOLUTIONS), None)
    if source is None or len(source.users) != 1:
        return None
    names = {f"{path}.{name}" for name in _NORM}
    norm = [each for each in traced.graph.nodes if each.op == "placeholder" and traced.tensors.get(each.name) in names]
    return _callers(traced, source, node, norm)


def _pair(traced: TracedGraph, node: fx.Node) -> tuple[str, str] | None:
    if _schema(node) != "aten::batch_norm":
        return None
    norm = arguments_of(node)
    source = norm["input"]
    if norm["training"] or norm["running_mean"] is None or norm["running_var"] is None:
        return None
    if _schema(source) not in _LAYERS or len(source.users) != 1:
        return None
    if _schema(source) == "aten::linear" and source.meta["val"].ndim != 2:
        return None  # the norm runs along another axis than the layer's outputs
    return _callers(traced, source, node, [norm[name] for name in _NORM])


def _callers(
    traced: TracedGraph, source: fx.Node, norm: fx.Node, tensors: Sequence[fx.Node | None]
) -> tuple[str, str] | None:
    """The modules that call a layer's operator and a norm's, if nothing else reads the layer's tensors, and these."""
    layer, path = arguments_of(source), module_of(source)
    if not _are_owned(traced, [layer["weight"], layer["bias"], *tensors]):
        return None
    return (path, module_of(norm)) if layer_name(traced.tensors[layer["weight"].name]) == path else None


def _are_owned(traced: TracedGraph, tensors: Sequence[fx.Node | None]) -> bool:
    """Whether tensors, where there are any, are parameters or buffers that are read once."""
    return all(each is None or (each.name in traced.tensors and len(each.users) == 1) for each in tensors)


def _schema(node: fx.Node) -> str:
    return str(node.target._schema.name) if isinstance(node.target, torch._ops.OpOverload) else ""


def _shared(model: nn.Module) -> set[str]:
    """All names of tensors that have more than one."""
    names: dict[int, list[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
    return {name for group in names.values() if len(group) > 1 for name in group}


def norm_eps(model: nn.Module, pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """The `eps` of every norm in the pairs, by the norm's name; `fold_state` needs it."""
    result = {}
    for _, name in pairs:
        norm: Any = model.get_submodule(name)
        if not _is_norm(norm):
            raise ValueError(f"{name}: expected a batch norm, found {type(norm).__name__}; was it folded already?")
        result[name] = norm.eps
    return result


def apply_folding_structure(model: nn.Module, pairs: Sequence[tuple[str, str]]) -> None:
    """Puts `nn.Identity` in the place of each norm and gives each layer a bias (of zeros, if it had none).

    Of a norm that calls further modules afterwards, such as an activation, these stay in its place, under their names.
    Changes the model in place, on any device; the numbers come from `fold_state` through `load_resized`.
    """
    for layer_path, norm_path in pairs:
        layer = model.get_submodule(layer_path)
        weight = layer.get_parameter("weight")
        if layer._parameters.get("bias") is None:
            outputs = torch.zeros(weight.shape[0], dtype=weight.dtype, device=weight.device)
            layer.register_parameter("bias", nn.Parameter(outputs, requires_grad=weight.requires_grad))
        parent, _, name = norm_path.rpartition(".")
        norm = model.get_submodule(norm_path)
        called = OrderedDict(norm.named_children())
        rest = nn.Sequential(called) if called else nn.Identity()
        setattr(model.get_submodule(parent), name, rest.train(norm.training))


def fold_state(
    state: Mapping[str, Tensor], pairs: Sequence[tuple[str, str]], eps: float | Mapping[str, float] = 1e-5
) -> dict[str, Tensor]:
    """The state of the folded network, computed in float64 and cast back.

    With s = gamma / sqrt(var + eps): weight' = s weight along the output axis, bias' = s (bias - mean) + beta.

    Args:
        state: the state before folding.
        pairs: (layer, norm) as found by `fold_batchnorm`.
        eps: of all norms, or by the norm's name (see `norm_eps`).
    """
    result = dict(state)
    for layer, norm in pairs:
        weight, mean = state[f"{layer}.weight"], state[f"{norm}.running_mean"].double()
        gamma = state[f"{norm}.weight"].double() if f"{norm}.weight" in state else torch.ones_like(mean)
        beta = state[f"{norm}.bias"].double() if f"{norm}.bias" in state else torch.zeros_like(mean)
        bias = state[f"{layer}.bias"].double() if f"{layer}.bias" in state else torch.zeros_like(mean)
        small = eps if isinstance(eps, float) else eps[norm]
        scale = gamma / torch.sqrt(state[f"{norm}.running_var"].double() + small)
        spread = scale.reshape(-1, *[1] * (weight.ndim - 1))
        result[f"{layer}.weight"] = (weight.double() * spread).to(weight.dtype)
        result[f"{layer}.bias"] = (scale * (bias - mean) + beta).to(weight.dtype)
        for name in (*_NORM, "num_batches_tracked"):
            result.pop(f"{norm}.{name}", None)
    return result


def unfold_state(
    state: Mapping[str, Tensor],
    pairs: Sequence[tuple[str, str]],
    means: Mapping[str, Tensor],
    variances: Mapping[str, Tensor],
    whole: nn.Module,
) -> dict[str, Tensor]:
    """The state of a network that computes what the folded one does, with its norms in place.

    A norm gets the statistics that its layer's outputs have, and a scale and a shift that undo them in evaluation. In
    training mode it then changes the outputs by no more than a batch's statistics differ from these.

    The weights of each output get unit norm, and the norm's scale takes up the rest: what a norm follows learns at a
    rate that is inversely proportional to the square of their length (van Laarhoven 2017, arXiv:1706.05350), and
    folding leaves layers with weights of very different lengths (of ResNet-56 by a factor of 20, before it of 3).

    Args:
        state: Of the folded network.
        pairs: (layer, norm) to be unfolded, all of them `can_unfold`.
        means: Layer -> mean of each of its outputs, as the folded network computes them.
        variances: Layer -> their variances.
        whole: A network of this kind with its norms, of any width.
    """
    result = dict(state)
    own = whole.state_dict()
    eps = norm_eps(whole, pairs)
    for layer, norm in pairs:
        weight, bias = state[f"{layer}.weight"], state[f"{layer}.bias"]
        length = torch.linalg.vector_norm(weight.flatten(1), dim=1)
        length = length.where(length > 0, 1.0)  # weights of zeros stay
        mean, variance = means[layer].to(bias), variances[layer].to(bias) / length.square()
        result[f"{layer}.weight"] = weight / length.reshape(-1, *[1] * (weight.ndim - 1))
        if f"{layer}.bias" in own:
            result[f"{layer}.bias"] = bias / length
            bias = torch.zeros_like(bias)
        else:
            del result[f"{layer}.bias"]
        result |= {
            f"{norm}.weight": length * torch.sqrt(variance + eps[norm]),
            f"{norm}.bias": mean,
            f"{norm}.running_mean": (mean - bias) / length,
            f"{norm}.running_var": variance,
            f"{norm}.num_batches_tracked": torch.zeros((), dtype=torch.int64),
        }
    return result


def can_unfold(model: nn.Module, norm: str) -> bool:
    """Whether a norm of a network, when it is folded, can be brought back: it learns a scale and a shift."""
    module = model.get_submodule(norm)
    return isinstance(module, _BatchNorm) and isinstance(module.weight, Tensor) and isinstance(module.bias, Tensor)


def folded_shapes(
    shapes: Mapping[str, tuple[int, ...]], pairs: Sequence[tuple[str, str]]
) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors that `fold_state` returns, from those that it is given; a layer may be missing."""
    result = dict(shapes)
    for layer, norm in pairs:
        if f"{layer}.weight" in result:
            result[f"{layer}.bias"] = result[f"{layer}.weight"][:1]
        for name in (*_NORM, "num_batches_tracked"):
            result.pop(f"{norm}.{name}", None)
    return result


def fold_model(model: nn.Module, inputs: InputsLike, parts: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Folds all possible pairs, in place, and returns the pairs; pass a copy to keep the original."""
    pairs = fold_batchnorm(model, inputs, parts)
    fold_pairs(model, pairs)
    return pairs


def fold_pairs(model: nn.Module, pairs: Sequence[tuple[str, str]]) -> None:
    """Folds these pairs, as `fold_batchnorm` found them in a network of the same structure; in place."""
    state = fold_state(model.state_dict(), pairs, norm_eps(model, pairs))
    apply_folding_structure(model, pairs)
    load_resized(model, state)
