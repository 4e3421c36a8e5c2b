"""Features: what layers within two networks return, and how far that is apart, whatever their widths."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from jobs.errors import BadInputError
from workers.allocation.patterns import nearest_names

Features = Mapping[str, Sequence[Tensor]]
"""Name of a layer -> what it returned, at each of its calls in one pass."""


def find_layers(patterns: Sequence[str], *networks: nn.Module) -> tuple[str, ...]:
    """The layers that all networks have and that one of the patterns matches; a `*` ends at a dot.

    Raises:
        BadInputError: A pattern matches none; it names the nearest.
    """
    first, *others = ([name for name, _ in each.named_modules() if name] for each in networks)
    names = [name for name in first if all(name in other for other in others)]
    unknown = [pattern for pattern in patterns if not any(_matches(pattern, name) for name in names)]
    if unknown:
        faults = [
            f"'{pattern}' matches no layer of the network; {nearest_names(pattern, names)}" for pattern in unknown
        ]
        raise BadInputError(f"distill.features: {'; '.join(faults)}")
    return tuple(name for name in names if any(_matches(pattern, name) for pattern in patterns))


def _matches(pattern: str, name: str) -> bool:
    wanted, found = pattern.split("."), name.split(".")
    return len(wanted) == len(found) and all(fnmatchcase(one, each) for one, each in zip(found, wanted, strict=True))


@contextmanager
def reading(network: nn.Module, layers: Sequence[str]) -> Iterator[Features]:
    """Reads what layers return in the passes within.

    Copies, since what comes after a layer may write into what it returned.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in layers}

    def keep(name: str) -> Any:
        return lambda _layer, _inputs, output: found[name].append(_feature(name, output))

    handles = [network.get_submodule(name).register_forward_hook(keep(name)) for name in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _feature(name: str, output: Any) -> Tensor:
    if not isinstance(output, Tensor) or not output.is_floating_point():
        kind = output.dtype if isinstance(output, Tensor) else type(output).__name__
        raise BadInputError(
            f"distill.features: layer '{name}' returns {kind}; name layers that return one tensor of floating-point "
            "numbers"
        )
    return output.clone()


def distance(found: Features, wanted: Features) -> Float[Tensor, ""]:
    """How far the features of a network are from those of another one: the mean over the layers, from 0 to 4.

    Of a layer it is the squared distance of the features of a sample, each divided by its l2 norm, as a mean over the
    samples: 2 - 2 cos of their angle. Where the two have other widths, the features are first summed up to attention
    maps: the sum of the squares over the channels (Zagoruyko and Komodakis 2017, arXiv:1612.03928, section 3.1). The
    axis of the channels is the one in which they differ.

    Args:
        found: Of the network.
        wanted: Of the other one, for the same layers and samples.

    Raises:
        BadInputError: A layer was not called as often by one, or its features cannot be compared.
    """
    parts: list[Tensor] = []
    for name, expected in wanted.items():
        if not expected or len(found[name]) != len(expected):
            raise BadInputError(
                f"distill.features: layer '{name}' is called {len(expected)} times by the dense network and "
                f"{len(found[name])} times by the one that is trained; name layers that both call"
            )
        each = [_apart(name, one, other) for one, other in zip(found[name], expected, strict=True)]
        parts.append(torch.stack(each).mean())
    return torch.stack(parts).mean()


def _apart(name: str, found: Tensor, wanted: Tensor) -> Float[Tensor, ""]:
    one, other = found.float(), wanted.float()
    if one.shape != other.shape:
        axis = _channels(name, one, other)
        one, other = one.square().sum(axis), other.square().sum(axis)
    first, second = (functional.normalize(each.flatten(1), dim=1) for each in (one, other))
    return (first - second).square().sum(1).mean()


def _channels(name: str, one: Tensor, other: Tensor) -> int:
    """The axis of the channels, the only one in which the features of a layer differ."""
    said = f"distill.features: layer '{name}' returns {tuple(one.shape)}, in the dense network {tuple(other.shape)};"
    pairs = zip(one.shape, other.shape, strict=False)
    differing = [axis for axis, (first, second) in enumerate(pairs) if first != second]
    if one.ndim != other.ndim or len(differing) != 1 or differing[0] == 0:
        raise BadInputError(f"{said} they may differ in one axis, that of the channels; name other layers")
    if one[0].numel() == one.shape[differing[0]]:
        raise BadInputError(f"{said} without positions, other widths cannot be compared; name layers that have some")
    return differing[0]
