"""Criteria and an observation as a user would write them."""

import torch

from workers.criteria import criterion
from workers.observations import observation


@observation(needs="images")
def widths(module, channel_map, batches):
    return {"width": {name: torch.full((width,), float(width)) for name, width in channel_map.widths().items()}}


@criterion(reads="own_criteria:widths")
def by_width(evidence):
    return {name: -values for name, values in evidence.statistic("width").items()}


@criterion(reads="activations")
def active(evidence):
    return evidence.statistic("active")


@criterion()
def too_few(evidence):
    return {"conv1": torch.ones(3)}


def _ones(evidence):
    return {name: torch.ones(width) for name, width in evidence.channel_map.widths().items()}


@criterion()
def returns_nothing(evidence):
    _ones(evidence)


@criterion()
def arrays(evidence):
    return {name: scores.numpy() for name, scores in _ones(evidence).items()}


@criterion()
def lists(evidence):
    return {name: scores.tolist() for name, scores in _ones(evidence).items()}


@criterion()
def divides_by_zero(evidence):
    return {name: scores / 0 for name, scores in _ones(evidence).items()}


@criterion()
def misspelt(evidence):
    return evidence.channel_map.widhts()
