"""Networks of torchvision by name, and the weights that it publishes.

It is imported where it is used, since that takes seconds.
"""

import inspect
import sys
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from jobs import names
from jobs.errors import BadInputError, nearest
from workers.factories import Factory
from workers.models._published import PublishedWeights
from workers.models.detection import detection_factory
from workers.models.torchvision_segmentation import segmentation_factory
from workers.reading import unreadable

_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.", "aux_classifier.")
"""Parts that published weights have, and that networks have only where they are asked for."""

_READS_IMAGES_ANEW = ("googlenet", "inception_v3", "quantized_googlenet", "quantized_inception_v3")
"""Networks whose published weights expect another normalisation, which the network then applies itself."""

_FROZEN_NORMS: Mapping[str, float] = {
    "fasterrcnn_mobilenet_v3_large_320_fpn": 1e-5,
    "fasterrcnn_mobilenet_v3_large_fpn": 1e-5,
    "fasterrcnn_resnet50_fpn": 0.0,
    "fcos_resnet50_fpn": 1e-5,
    "retinanet_resnet50_fpn": 0.0,
}
"""Detectors that torchvision gives frozen norms where it gives them weights, and the epsilon of these."""


def factory(name: str, arguments: Mapping[str, Any], *, where: str) -> tuple[Factory, dict[str, Any]]:
    """What builds a network with random weights, and the arguments that keep torchvision from fetching any.

    Args:
        name: Its name without `torchvision:`.
        arguments: Those of the sweep file.
        where: Prefix of an error message.

    Raises:
        BadInputError: There is no such network, or the arguments ask for weights.
    """
    builder = _builder(name, where=where)
    loading = {"weights", "weights_backbone"}
    given = sorted(each for each in loading if arguments.get(each) is not None)
    if given:
        raise BadInputError(
            f"{where}: argument '{given[0]}' is not accepted: weights are named by the model's `weights`; leave it out"
        )
    return builder, dict.fromkeys(loading & set(inspect.signature(builder).parameters))


def public_name(name: str) -> str:
    """Where torchvision has what builds a network, such as `torchvision.models.video.r3d_18`.

    Args:
        name: The network, without `torchvision:`.
    """
    import torchvision

    builder = torchvision.models.get_model_builder(name)
    packages = list(accumulate(builder.__module__.split("."), "{}.{}".format))
    public = next(each for each in packages if getattr(sys.modules[each], builder.__name__, None) is builder)
    return f"{public}.{builder.__name__}"


def settled(name: str, chosen: str | None, *, where: str) -> dict[str, Any]:
    """The arguments that torchvision gives a network together with weights, unless the user says otherwise.

    Args:
        name: The network, without `torchvision:`.
        chosen: The set of weights; None: the default one.
        where: Prefix of an error message.

    Raises:
        BadInputError: There is no such set.
    """
    published = _member(name, chosen, where=where)
    if name in _READS_IMAGES_ANEW:
        return {"transform_input": True}
    if name in _FROZEN_NORMS:
        return {"norm": "frozen", "norm_eps": _FROZEN_NORMS[name]}
    if name.startswith("vit_"):
        return {"image_size": published.meta["min_size"][0]}
    return {}


def published(name: str, chosen: str | None, *, where: str) -> PublishedWeights:
    """A set of weights, from torch's cache of downloads or fetched into it; arguments as of `settled`.

    Raises:
        BadInputError: There is no such set, or it cannot be fetched.
    """
    member = _member(name, chosen, where=where)
    try:
        state = member.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise unreadable(error, f"{where}: torchvision's weights {member.name} cannot be fetched: {error}") from error
    return PublishedWeights(state=state, what=f"torchvision's {member.name}", spare=_AUXILIARY)


def _builder(name: str, *, where: str) -> Factory:
    if name in names.TORCHVISION_SEGMENTATION:
        return segmentation_factory(name)
    if name in names.TORCHVISION_DETECTION:
        return detection_factory(name)
    import torchvision

    known = torchvision.models.list_models()
    if name not in known:
        raise BadInputError(
            f"{where}: torchvision {torchvision.__version__} has no such network; {nearest(name, known)}"
        )
    builder: Factory = torchvision.models.get_model_builder(name)
    return builder


def _member(name: str, chosen: str | None, *, where: str) -> Any:
    """A set of weights in single precision."""
    import torchvision

    _builder(name, where=where)
    sets = torchvision.models.get_model_weights(name)
    if chosen is not None and chosen not in sets.__members__:
        raise BadInputError(f"{where}: torchvision has no weights '{chosen}'; {nearest(chosen, sets.__members__)}")
    member = sets[chosen or "DEFAULT"]
    return member.meta.get("unquantized", member)
