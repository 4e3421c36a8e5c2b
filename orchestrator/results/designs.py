"""The architectures that a method found, read back from the store: what a template is made of.

Knows manifests and which artifact has the channel groups of which; refuses to know how a template is written down.
"""

import json
from collections.abc import Sequence

from jobs.artifact import Manifest, MissingArtifactError, Store
from jobs.errors import BadInputError
from orchestrator.results import Curve, Point
from orchestrator.results.lineage import network_behind
from workers.allocation import Design
from workers.artifacts import CHANNELS_FILE
from workers.channels import ChannelMap


def largest_common(curves: Sequence[Curve]) -> float | None:
    """The largest compression at which every one of the curves has channels removed; None where there is none."""
    removed = [{point.asked for point in curve.points if "channels" in point.kept} for curve in curves]
    return max(set.intersection(*removed), default=None) if removed else None


def collect_designs(curves: Sequence[Curve], asked: float, store: Store) -> list[Design]:
    """What the points of curves at one compression keep, with the channel groups that it was taken from.

    Args:
        curves: Of one model, as `results.collect` gives them.
        asked: The compression.
        store: Where their points are.

    Raises:
        BadInputError: No point there has channels removed.
        MissingArtifactError: The store lacks an artifact that a point was made of.
    """
    points = [point for curve in curves for point in curve.points if point.asked == asked and "channels" in point.kept]
    if not points:
        raise BadInputError(f"no network with channels removed was measured at compression {asked}")
    return [Design(channel_map=_channels(point, store), widths=point.kept["channels"].left) for point in points]


def _channels(point: Point, store: Store) -> ChannelMap:
    """The groups of the network that a point's was made from: the nearest one behind it that lists them."""
    manifest: Manifest = store.manifest(point.key)
    while CHANNELS_FILE not in manifest.files:
        source = network_behind(manifest)
        if source is None:
            raise MissingArtifactError(f"{store.uri}: no network behind the point {point.key} lists channel groups")
        manifest = store.manifest(source)
    return ChannelMap.from_json(json.loads(store.read(manifest.key, CHANNELS_FILE)))
