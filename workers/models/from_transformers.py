"""Networks of transformers by class or model type, and the weights of repositories on the hub.

Their outputs are records; here a network with logits returns those. transformers is imported where it is used, and may
be missing.
"""

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn
from torch.nn import functional

from jobs.errors import BadInputError, nearest
from jobs.libraries import missing
from jobs.weights import HubReference
from workers.factories import Factory
from workers.models._published import PublishedWeights
from workers.reading import unreadable

_OF_THE_FILE = (
    "_name_or_path",
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "model_type",
    "torch_dtype",
    "transformers_version",
)
"""Entries of a configuration that say where it is from, and nothing about the network."""


def factory(name: str, *, where: str) -> Factory:
    """What builds a network with random weights from arguments of its configuration, such as `num_labels`.

    Args:
        name: A class (`ViTForImageClassification`), a configuration (`ViTConfig`) or a model type (`vit`); the last two
            are the classifier of images of that type, or the bare model where there is none.
        where: Prefix of an error message.

    Raises:
        BadInputError: transformers is missing, or has no such network.
    """
    return partial(_build, _class(name, where=where))


def settled(name: str, reference: HubReference, *, where: str) -> dict[str, Any]:
    """The arguments that a repository's configuration has, so that the network can be built without it.

    Args:
        name: As of `factory`.
        reference: The repository.
        where: Prefix of an error message.

    Raises:
        BadInputError: It has no configuration, or that of another type of model, or cannot be fetched.
    """
    config, wanted = _config(reference, where=where), _class(name, where=where).config_class.model_type
    if config.model_type != wanted:
        raise BadInputError(f"{where}: is of type '{wanted}', but {reference} has a '{config.model_type}'")
    found = {key: value for key, value in config.to_diff_dict().items() if key not in _OF_THE_FILE}
    return {**found, "num_labels": config.num_labels}


def published(name: str, reference: HubReference, arguments: Mapping[str, Any], *, where: str) -> PublishedWeights:
    """The weights of a repository, through the hub's cache of downloads, with the classes that they have there.

    Args:
        name: As of `factory`.
        reference: The repository.
        arguments: Keyword arguments of the network.
        where: Prefix of an error message.

    Raises:
        BadInputError: They cannot be fetched, or do not fit the arguments.
    """
    network = _class(name, where=where)
    classes = _config(reference, where=where).num_labels
    config = network.config_class(**{**arguments, "num_labels": classes})
    try:
        whole, found = network.from_pretrained(
            reference.repository, revision=reference.revision, config=config, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise unreadable(error, f"{where}: {reference} cannot be fetched or does not fit: {error}") from error
    state, body = whole.state_dict(), f"{network.base_model_prefix}."
    absent = [each for each in found["missing_keys"] if each in state]
    beside = {each.rpartition(".")[0] for each in absent if not each.startswith(body)}
    return PublishedWeights(
        state={each: tensor for each, tensor in state.items() if each not in absent},
        what=f"the hub's {reference}",
        unused=tuple(sorted(found["unexpected_keys"])),
        heads=() if whole.base_model is whole else tuple(sorted(beside)),
    )


def _build(network: Any, **arguments: Any) -> nn.Module:
    """A network whose outputs are its logits, where it has some."""
    config = network.config_class
    known = {*dir(config), *inspect.signature(config).parameters}
    if unknown := [name for name in arguments if name not in known]:  # which configurations take without a word
        entries = [name for name in known if not name.startswith("_")]
        raise ValueError(f"{config.__name__} has no '{unknown[0]}'; {nearest(unknown[0], entries)}")
    made: nn.Module = _answering_with_logits(network)(config(**arguments))
    return made


def _answering_with_logits(network: Any) -> Any:
    """The class with the same parts under the same names."""

    class Adapted(network):  # type: ignore[misc]  # known only here
        def forward(self, inputs: Any, **others: Any) -> Any:
            """Logits, or the outputs as they are; of masks the logits at the size of the images."""
            outputs = super().forward(**{self.main_input_name: inputs}, **others)
            logits = getattr(outputs, "logits", None)
            if logits is None:
                return outputs
            if logits.ndim == 4 and inputs.ndim == 4 and logits.shape[2:] != inputs.shape[2:]:
                return functional.interpolate(logits, size=inputs.shape[2:], mode="bilinear", align_corners=False)
            return logits

    Adapted.__name__ = Adapted.__qualname__ = network.__name__
    return Adapted


def _class(name: str, *, where: str) -> Any:
    transformers = _transformers(where)
    from transformers.models.auto import configuration_auto, modeling_auto

    types = configuration_auto.CONFIG_MAPPING_NAMES
    by_config = {config: kind for kind, config in types.items()}
    kind = by_config.get(name, name)
    if kind in types:
        named = [modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES, modeling_auto.MODEL_MAPPING_NAMES]
        found = next((mapping[kind] for mapping in named if kind in mapping), None)
        if found is None:
            raise BadInputError(f"{where}: transformers has no network of that type; name a class")
        name = found if isinstance(found, str) else found[0]
    network = getattr(transformers, name, None)
    if not (isinstance(network, type) and issubclass(network, nn.Module) and hasattr(network, "config_class")):
        classes = [each for each in dir(transformers) if "For" in each or each.endswith("Model")]
        raise BadInputError(
            f"{where}: transformers {transformers.__version__} has no such network; {nearest(name, [*types, *classes])}"
        )
    return network


def _config(reference: HubReference, *, where: str) -> Any:
    transformers = _transformers(where)
    try:
        return transformers.AutoConfig.from_pretrained(reference.repository, revision=reference.revision)
    except (OSError, ValueError) as error:
        raise unreadable(error, f"{where}: {reference} has no configuration that can be read: {error}") from error


def _transformers(where: str) -> Any:
    if said := missing("transformers"):
        raise BadInputError(f"{where}: {said}")
    import transformers

    return transformers
