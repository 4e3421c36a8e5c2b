"""A model's own network with the weights that the sweep file names, whatever they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from jobs.errors import BadInputError
from jobs.libraries import library_of
from jobs.weights import OWN, CheckpointReading, HubReference, brings_arguments, is_hub, is_pretrained, set_of
from workers.models import from_timm, from_torchvision, from_transformers
from workers.models._published import PublishedWeights
from workers.models.build import build
from workers.models.hub import hub_file
from workers.models.weights import LoadedWeights, load_published, load_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedNetwork:
    """A network with weights.

    Attributes:
        module: The network.
        arguments: The keyword arguments that build it, those that came with the weights included.
        loaded: What became of the weights.
    """

    module: nn.Module
    arguments: dict[str, Any]
    loaded: LoadedWeights


def build_with_weights(
    network: str, arguments: Mapping[str, Any], weights: str, reading: CheckpointReading | None = None
) -> SourcedNetwork:
    """Build a network and give it weights. Those that it keeps of its own are drawn from torch's global generator.

    Args:
        network: Its name, as of `build`.
        arguments: Its keyword arguments.
        weights: As the sweep file has them.
        reading: What the sweep file says of their layout.

    Raises:
        BadInputError: It cannot be built, or the weights cannot be had or do not fit.
    """
    reading, arguments = reading or CheckpointReading(), arguments_with(network, arguments, weights)
    module = build(network, arguments)
    published = _published(network, arguments, weights)
    if published is not None:
        loaded = load_published(module, published, replace_head=bool(reading.replace_head))
    elif weights == OWN:
        loaded = LoadedWeights(layout="loaded by the network's own callable")
    else:
        path = hub_file(HubReference.parse(weights)) if is_hub(weights) else weights
        loaded = load_weights(module, path, reading)
    return SourcedNetwork(module=module, arguments=arguments, loaded=loaded)


def arguments_with(network: str, arguments: Mapping[str, Any], weights: str) -> dict[str, Any]:
    """The arguments of a network, with those that belong to its weights and that the user says nothing of.

    Args:
        network: Its name, as of `build`.
        arguments: Those of the sweep file.
        weights: As the sweep file has them.

    Raises:
        BadInputError: The weights cannot be had, or are for another network.
    """
    settled: dict[str, Any] = {}
    if brings_arguments(weights, network):
        library, _, name = network.partition(":")
        where = f"network '{network}'"
        if library == "torchvision":
            settled = from_torchvision.settled(name, set_of(weights), where=where)
        else:
            settled = from_transformers.settled(name, HubReference.parse(weights), where=where)
    return {**settled, **arguments}


def _published(network: str, arguments: Mapping[str, Any], weights: str) -> PublishedWeights | None:
    """The weights that a network's library has for it; None where they are a file, or the network's own matter."""
    where, name = f"network '{network}'", network.partition(":")[2]
    if library_of(network) == "transformers" and brings_arguments(weights, network):
        return from_transformers.published(name, HubReference.parse(weights), arguments, where=where)
    if not is_pretrained(weights):
        return None
    match library_of(network):
        case "torchvision":
            return from_torchvision.published(name, set_of(weights), where=where)
        case "timm":
            return from_timm.published(name, arguments, where=where)
        case _:
            raise BadInputError(f"{where}: has no weights '{weights}'; give the URI of a checkpoint")
