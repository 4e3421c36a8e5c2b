"""Loads exported networks back, with Orchard's own way to build them."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from jobs.errors import BadInputError
from workers.channels.headwise import follow_heads
from workers.export import load_script
from workers.export.description import read_config
from workers.models import build


def load_folder(folder: Path) -> nn.Module:
    """The network of a folder that `orchard export` wrote; see `workers.load`."""
    network = str(read_config(folder)["network"])
    try:
        with torch.random.fork_rng(devices=[]):  # building draws initial weights, which are discarded
            model = load_script.load(folder, partial(_build, network))
    except (ValueError, OSError) as error:
        raise BadInputError(str(error)) from error
    for module in model.modules():
        follow_heads(module)
    return model


def _build(network: str, /, **arguments: Any) -> nn.Module:
    return build(network, arguments)
