"""Builds a network by name and arguments, with random weights. The caller seeds torch's generator."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from jobs import names
from jobs.errors import BadInputError, nearest
from workers.factories import Factory, check_arguments, import_factory
from workers.models._registry import ZOO
from workers.models.detection import detection_factory
from workers.models.torchvision_segmentation import segmentation_factory


def build(network: str, arguments: Mapping[str, Any] | None = None, *, backbone: nn.Module | None = None) -> nn.Module:
    """Build the network of a name, with random weights from torch's global generator.

    Args:
        network: A name of the zoo (`resnet`), one of torchvision's (`torchvision:mobilenet_v2`) or a factory
            of the user's own (`package.module:callable`).
        arguments: Keyword arguments of the network, for example `{"widths": [32, 64, 128]}`.
        backbone: The module that it is built around, a further keyword argument; default: none.

    Returns:
        The module, on the CPU, in training mode.

    Raises:
        BadInputError: The name is unknown, the arguments do not fit, or the result is not an nn.Module.
    """
    where = f"network '{network}'"
    arguments = dict(arguments or {})
    factory = _find(network, where=where)
    if network.startswith(names.TORCHVISION_PREFIX):
        arguments |= _without_downloads(factory, arguments, where=where)
    if backbone is not None:
        arguments["backbone"] = backbone
    check_arguments(factory, arguments, where=where)
    try:
        model = factory(**arguments)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{where}: refused its arguments {_shown(arguments)}: {error}") from error
    if not isinstance(model, nn.Module):
        raise BadInputError(f"{where}: returned {type(model).__name__}; it must return a torch.nn.Module")
    return model


def _shown(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for a message; of a module its class."""
    return {name: type(each).__name__ if isinstance(each, nn.Module) else each for name, each in arguments.items()}


def _find(network: str, *, where: str) -> Factory:
    prefix, colon, name = network.partition(":")
    if not colon:
        if network not in ZOO:
            raise BadInputError(
                f"{where}: unknown; {nearest(network, ZOO)} "
                "Or name 'torchvision:NAME' or a factory of your own, 'package.module:callable'."
            )
        return ZOO[network]
    if prefix != "torchvision":
        return import_factory(network, where=where)
    if name in names.TORCHVISION_SEGMENTATION:
        return segmentation_factory(name)
    if name in names.TORCHVISION_DETECTION:
        return detection_factory(name)
    import torchvision  # takes seconds, and the zoo does not need it

    known = torchvision.models.list_models()
    if name not in known:
        raise BadInputError(
            f"{where}: torchvision {torchvision.__version__} has no such network; {nearest(name, known)}"
        )
    builder: Factory = torchvision.models.get_model_builder(name)
    return builder


def _without_downloads(builder: Factory, arguments: Mapping[str, Any], *, where: str) -> dict[str, None]:
    """The arguments that keep torchvision from fetching weights: some networks fetch a backbone unless told not to."""
    loading = {"weights", "weights_backbone"}
    given = sorted(name for name in loading if arguments.get(name) is not None)
    if given:
        raise BadInputError(
            f"{where}: argument '{given[0]}' is not accepted: weights are loaded from a file; leave it out"
        )
    return dict.fromkeys(loading & set(inspect.signature(builder).parameters))
