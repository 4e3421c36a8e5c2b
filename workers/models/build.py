"""Builds a network by name and arguments, with random weights. The caller seeds torch's generator."""

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.parameter import is_lazy

from jobs.errors import BadInputError, nearest
from jobs.libraries import LIBRARIES, is_own, library_of
from workers.factories import Factory, check_arguments, import_factory
from workers.models import from_timm, from_torchvision, from_transformers
from workers.models._registry import ZOO


def build(network: str, arguments: Mapping[str, Any] | None = None, *, backbone: nn.Module | None = None) -> nn.Module:
    """Build the network of a name, with random weights from torch's global generator.

    Args:
        network: A name of the zoo (`resnet`), one of a library's (`torchvision:mobilenet_v2`, `timm:resnet50`,
            `transformers:vit`) or a factory of the user's own (`package.module:callable`).
        arguments: Keyword arguments of the network, for example `{"widths": [32, 64, 128]}`.
        backbone: The module that it is built around, a further keyword argument; default: none.

    Returns:
        The module, on the CPU, in training mode.

    Raises:
        BadInputError: The name is unknown, the arguments do not fit, or the result is not an nn.Module or has
            layers without sizes.
    """
    where = f"network '{network}'"
    arguments = dict(arguments or {})
    factory, fixed = _find(network, arguments, where=where)
    arguments |= fixed
    if backbone is not None:
        arguments["backbone"] = backbone
    check_arguments(factory, arguments, where=where)
    try:
        model = factory(**arguments)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{where}: refused its arguments {_shown(arguments)}: {error}") from error
    if not isinstance(model, nn.Module):
        raise BadInputError(f"{where}: returned {type(model).__name__}; it must return a torch.nn.Module")
    _refuse_lazy(model, where=where)
    return model


def _refuse_lazy(model: nn.Module, *, where: str) -> None:
    """Raise BadInputError if layers take their sizes from their first input: a network is rebuilt without one."""
    lazy = [name or type(each).__name__ for name, each in model.named_modules() if _is_lazy(each)]
    if lazy:
        raise BadInputError(
            f"{where}: {', '.join(lazy)} have no sizes before their first input; give them sizes (nn.Conv2d, nn.Linear "
            "instead of nn.LazyConv2d, nn.LazyLinear), or let the network run once on zeros as it is built"
        )


def _is_lazy(module: nn.Module) -> bool:
    return any(map(is_lazy, (*module.parameters(recurse=False), *module.buffers(recurse=False))))


def _shown(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for a message; of a module its class."""
    return {name: type(each).__name__ if isinstance(each, nn.Module) else each for name, each in arguments.items()}


def _find(network: str, arguments: Mapping[str, Any], *, where: str) -> tuple[Factory, dict[str, Any]]:
    """What builds a network, and the arguments that it always gets."""
    library, name = library_of(network), network.partition(":")[2]
    match library:
        case "torchvision":
            return from_torchvision.factory(name, arguments, where=where)
        case "timm":
            return from_timm.factory(name, where=where), {}
        case "transformers":
            return from_transformers.factory(name, where=where), {}
    if is_own(network):
        return import_factory(network, where=where, gives=nn.Module), {}
    if network not in ZOO:
        raise BadInputError(
            f"{where}: unknown; {nearest(network, ZOO)} "
            f"Or name {', '.join(f'{each}:NAME' for each in LIBRARIES)} or a factory of your own, "
            "'package.module:callable'."
        )
    return ZOO[network], {}
