"""The channel map of a network artifact."""

from workers.channels import ChannelMap
from workers.stages._base import Context
from workers.stages.convert import CHANNELS_FILE


def read_channels(context: Context, role: str = "network") -> ChannelMap:
    """The channel map that `convert` found for the network in a role."""
    return ChannelMap.from_json(context.read_json(role, CHANNELS_FILE))
