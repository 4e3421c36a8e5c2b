"""Divides the curves of a model into panels of at most a dozen. Pure."""

from collections.abc import Sequence
from itertools import pairwise

from jobs.spec.protocols import NO_PROTOCOL

MOST_CURVES = 12
"""Lines of a panel, besides those of networks without a curve."""

MOST_PANELS = 12
"""Panels of a figure."""

Label = tuple[str, str]
"""A method and its protocol: a curve."""


def divide(labels: Sequence[Label]) -> list[tuple[Label, ...]]:
    """Curves as panels: all in one where they fit, else by protocol, small ones together, large ones divided evenly.

    Args:
        labels: In the order in which panels are to have them.
    """
    if len(labels) <= MOST_CURVES:
        return [tuple(labels)] if labels else []
    protocols: dict[str, list[Label]] = {}
    for label in labels:
        protocols.setdefault(label[1], []).append(label)
    panels: list[tuple[Label, ...]] = []
    for protocol in sorted(protocols, key=lambda name: (name != NO_PROTOCOL, name)):
        members = protocols[protocol]
        if panels and len(panels[-1]) + len(members) <= MOST_CURVES:
            panels[-1] = (*panels[-1], *members)
        else:
            panels += _evenly(members)
    return panels


def panel_title(panel: Sequence[Label], panels: Sequence[Sequence[Label]]) -> str:
    """What tells a panel from the others of its model: its protocols, or a number; empty if it is alone."""
    if len(panels) < 2:
        return ""
    protocols = dict.fromkeys(protocol for _, protocol in panel)
    alike = [each for each in panels if dict.fromkeys(protocol for _, protocol in each) == protocols]
    place = f"{alike.index(panel) + 1} of {len(alike)}" if len(alike) > 1 else ""
    names = ", ".join(protocols) if len(alike) < len(panels) else ""
    return ", ".join(part for part in (names, place) if part)


def _evenly(labels: Sequence[Label]) -> list[tuple[Label, ...]]:
    count = -(-len(labels) // MOST_CURVES)
    bounds = [len(labels) * number // count for number in range(count + 1)]
    return [tuple(labels[start:end]) for start, end in pairwise(bounds)]
