"""Loads exported networks back, with Orchard's own way to build them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from jobs.errors import BadInputError
from jobs.identity import Parsed
from workers.channels.headwise import follow_heads
from workers.export import load_script
from workers.export.description import read_config
from workers.factories import Factory
from workers.models import build


def load_folder(folder: Path) -> nn.Module:
    """The network of a folder that `orchard export` wrote; see `workers.load`."""
    factories = list(_factories(read_config(folder)))
    try:
        with torch.random.fork_rng(devices=[]):  # building draws initial weights, which are discarded
            model = load_script.load(folder, *factories)
    except (ValueError, OSError) as error:
        raise BadInputError(str(error)) from error
    for module in model.modules():
        follow_heads(module)
    return model


def _factories(config: Parsed | None) -> Iterator[Factory]:
    """What builds a network, its backbone, the backbone of that one ..."""
    while config:
        yield partial(_build, config["network"])
        config = config.get("backbone")


def _build(network: str, /, **arguments: Any) -> nn.Module:
    return build(network, arguments)
