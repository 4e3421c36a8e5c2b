"""Networks of timm by name, and the weights that it publishes. It is imported where it is used, and may be missing."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from jobs.errors import BadInputError, nearest
from jobs.libraries import missing
from workers.factories import Factory
from workers.models._published import PublishedWeights
from workers.reading import unreadable

_PREFIX = "timm:"


def factory(name: str, *, where: str) -> Factory:
    """What builds a network with random weights.

    Args:
        name: Its name without `timm:`, with or without a tag of weights (`resnet50.a1_in1k`), which also says how many
            classes there are.
        where: Prefix of an error message.

    Raises:
        BadInputError: timm is missing, or has no such network.
    """
    timm = _timm(where)
    architecture, _, tag = name.partition(".")
    known = timm.list_models()
    if architecture not in known:
        raise BadInputError(f"{where}: timm {timm.__version__} has no such network; {nearest(architecture, known)}")
    if tag and tag not in (tags := _tags(timm, architecture)):
        raise BadInputError(f"{where}: timm {timm.__version__} has no weights '{tag}' for it; {nearest(tag, tags)}")
    return partial(timm.create_model, name, pretrained=False)


def published(name: str, arguments: Mapping[str, Any], *, where: str) -> PublishedWeights:
    """The weights of a network's tag, else of its first one, through the hub's cache of downloads.

    timm fits them to the arguments, except for the classes, which stay those of the weights.

    Args:
        name: As of `factory`.
        arguments: Keyword arguments of the network.
        where: Prefix of an error message.

    Raises:
        BadInputError: There are none, or they cannot be fetched.
    """
    timm = _timm(where)
    if not _tags(timm, name.partition(".")[0]):
        raise BadInputError(f"{where}: timm publishes no weights for it; train it, or give the URI of a checkpoint")
    others = {key: value for key, value in arguments.items() if key != "num_classes"}
    try:
        whole = timm.create_model(name, pretrained=True, **others)
    except (OSError, RuntimeError, ValueError) as error:
        raise unreadable(error, f"{where}: timm's weights cannot be fetched or do not fit: {error}") from error
    heads = whole.pretrained_cfg.get("classifier") or ()
    return PublishedWeights(
        state=whole.state_dict(),
        what=f"timm's {whole.pretrained_cfg['architecture']}.{whole.pretrained_cfg['tag']}",
        heads=(heads,) if isinstance(heads, str) else tuple(heads),
    )


def _tags(timm: Any, architecture: str) -> list[str]:
    listed = timm.list_pretrained(architecture)
    return [each.partition(".")[2] for each in listed if each.partition(".")[0] == architecture]


def _timm(where: str) -> Any:
    if said := missing("timm"):
        raise BadInputError(f"{where}: {said}")
    import timm

    return timm
