"""The architectures (widths) that a method found, read from the store, for templates."""

import json
from collections.abc import Sequence

from jobs.artifact import Manifest, MissingArtifactError, Store
from jobs.errors import BadInputError
from orchestrator.results import Curve, Point
from orchestrator.results.lineage import source_network
from workers.allocation import Design
from workers.artifacts import CHANNELS_FILE
from workers.channels import ChannelMap


def largest_common(curves: Sequence[Curve]) -> float | None:
    """The largest compression at which all curves have a pruned network; None where there is none."""
    removed = [{point.asked for point in curve.points if "channels" in point.kept} for curve in curves]
    return max(set.intersection(*removed), default=None) if removed else None


def collect_designs(curves: Sequence[Curve], asked: float, store: Store) -> list[Design]:
    """The designs of the points at one compression: their widths, and the channel groups before pruning.

    Args:
        curves: Curves of one model, from `results.collect`.
        asked: The target compression.
        store: The sweep's store.

    Raises:
        BadInputError: No point at this compression has channels removed.
        MissingArtifactError: The store lacks an ancestor of a point.
    """
    points = [point for curve in curves for point in curve.points if point.asked == asked and "channels" in point.kept]
    if not points:
        raise BadInputError(f"no network with channels removed was measured at compression {asked}")
    return [Design(channel_map=_channels(point, store), widths=point.kept["channels"].left) for point in points]


def _channels(point: Point, store: Store) -> ChannelMap:
    """The channel groups of the nearest ancestor network of a point that lists them whole, before any round."""
    full = dict(point.kept["channels"].full)
    key: str | None = point.key
    while key is not None:
        manifest: Manifest = store.manifest(key)
        if CHANNELS_FILE in manifest.files:
            channel_map = ChannelMap.from_json(json.loads(store.read(key, CHANNELS_FILE)))
            if channel_map.widths() == full:
                return channel_map
        key = source_network(manifest)
    raise MissingArtifactError(f"{store.uri}: no ancestor network of point {point.key} lists its channel groups")
